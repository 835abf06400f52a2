// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/watch_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "userspace/support/plain_text.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

using ServiceReport = StatusReport::Service;

constexpr std::string_view kNotKnown = "-";

// How much more of something there is than at the time before.
class Rates {
 public:
  Rates(const Sight& now, const std::optional<Sight>& before) : now_(now) {
    const bool same = before && before->report.pid == now.report.pid &&
                      before->report.uptime_ms < now.report.uptime_ms;
    if (!same) return;
    before_ = &*before;
    seconds_ = static_cast<double>(now.report.uptime_ms - before->report.uptime_ms) / 1000;
  }

  // Of a figure that only grows. A service that begins or ends may bring it down: that is no rate.
  std::optional<double> of(const std::function<std::uint64_t(const Sight&)>& figure) const {
    if (!before_) return std::nullopt;
    const auto now = figure(now_);
    const auto before = figure(*before_);
    return now < before ? 0 : static_cast<double>(now - before) / seconds_;
  }

 private:
  const Sight& now_;
  const Sight* before_ = nullptr;
  double seconds_ = 0;
};

std::string human_rate(std::optional<double> a_second) {
  if (!a_second) return std::string(kNotKnown);
  return *a_second < 1000 ? fmt::format("{:.1f}", *a_second)
                          : human_count(static_cast<std::uint64_t>(*a_second));
}

std::string human_byte_rate(std::optional<double> a_second) {
  if (!a_second) return std::string(kNotKnown);
  return human_bytes(static_cast<std::uint64_t>(*a_second));
}

std::string percent(double part, double whole) {
  return whole > 0 ? fmt::format("{:.0f}%", 100 * part / whole) : std::string(kNotKnown);
}

// Of a service by its name: a removed one, whose connections go on, may have that of another.
std::uint64_t sum_of(const Sight& sight, const std::string& name,
                     std::uint64_t ServiceReport::*figure) {
  std::uint64_t sum = 0;
  for (const auto& service : sight.report.services)
    if (service.name == name) sum += service.*figure;
  return sum;
}

using Sums = ConnectionReport::Service;

std::uint64_t sum_of(const Sight& sight, const std::string& name,
                     std::initializer_list<std::uint64_t Sums::*> figures) {
  std::uint64_t sum = 0;
  if (!sight.sums) return sum;
  for (const auto& service : sight.sums->services)
    if (service.name == name)
      for (const auto figure : figures) sum += service.*figure;
  return sum;
}

std::string in_use(const ServiceReport& service) {
  const auto up = std::ranges::count_if(service.endpoints, &StatusReport::Endpoint::is_in_use);
  return fmt::format("{}/{}", up, service.endpoints.size());
}

std::optional<double> byte_rate(const Sight& now, const Rates& rates, const std::string& name,
                                std::uint64_t Sums::*open, std::uint64_t Sums::*ended) {
  if (!now.sums) return std::nullopt;
  return rates.of([&](const Sight& sight) { return sum_of(sight, name, {open, ended}); });
}

// A column of the table of services, beside their names.
struct Column {
  std::string_view head;
  std::size_t width;
  std::size_t importance;  // those with the highest numbers go first, where there is no room
  std::string (*cell)(const Sight& now, const Rates& rates, const ServiceReport& service);
};

constexpr std::array<Column, 8> kColumns{{
    {"now", 7, 0,
     [](const Sight&, const Rates&, const ServiceReport& service) {
       return human_count(service.connections_now);
     }},
    {"new/s", 7, 3,
     [](const Sight&, const Rates& rates, const ServiceReport& service) {
       return human_rate(rates.of([&](const Sight& sight) {
         return sum_of(sight, service.name, &ServiceReport::connections_total);
       }));
     }},
    {"there/s", 8, 1,
     [](const Sight& now, const Rates& rates, const ServiceReport& service) {
       return human_byte_rate(byte_rate(now, rates, service.name, &Sums::bytes_to_backend,
                                        &Sums::ended_bytes_to_backend));
     }},
    {"back/s", 8, 2,
     [](const Sight& now, const Rates& rates, const ServiceReport& service) {
       return human_byte_rate(byte_rate(now, rates, service.name, &Sums::bytes_to_client,
                                        &Sums::ended_bytes_to_client));
     }},
    {"kernel", 6, 5,
     [](const Sight& now, const Rates&, const ServiceReport& service) {
       const auto open = sum_of(now, service.name, {&Sums::open});
       const auto in_kernel = sum_of(now, service.name, {&Sums::directions_in_kernel});
       return percent(static_cast<double>(in_kernel), 2 * static_cast<double>(open));
     }},
    {"up", 7, 4,
     [](const Sight&, const Rates&, const ServiceReport& service) { return in_use(service); }},
    {"failed/s", 8, 6,
     [](const Sight&, const Rates& rates, const ServiceReport& service) {
       return human_rate(rates.of([&](const Sight& sight) {
         return sum_of(sight, service.name, &ServiceReport::failed);
       }));
     }},
    {"direct/s", 8, 7,
     [](const Sight&, const Rates& rates, const ServiceReport& service) {
       return human_rate(rates.of([&](const Sight& sight) {
         return sum_of(sight, service.name, &ServiceReport::direct_connects);
       }));
     }},
}};
constexpr std::size_t kGapBetween = 2;
constexpr std::size_t kShortestName = 10;

// In the order in which they stand.
std::vector<const Column*> columns_for(std::size_t room) {
  std::vector<const Column*> chosen;
  for (const auto& column : kColumns) chosen.push_back(&column);
  const auto width = [&chosen] {
    std::size_t sum = kShortestName;
    for (const auto* column : chosen) sum += kGapBetween + column->width;
    return sum;
  };
  while (!chosen.empty() && width() > room)
    chosen.erase(std::ranges::max_element(chosen, {}, &Column::importance));
  return chosen;
}

Paint paint_of(const ServiceReport& service) {
  if (service.removed) return Paint::kFaint;
  if (std::ranges::none_of(service.endpoints, &StatusReport::Endpoint::is_in_use))
    return Paint::kTrouble;
  const bool all_up = std::ranges::all_of(service.endpoints, &StatusReport::Endpoint::is_in_use);
  return all_up ? Paint::kPlain : Paint::kWarning;
}

void add_services(const Sight& now, const Rates& rates, std::size_t room,
                  std::vector<WatchLine>& lines) {
  if (now.report.services.empty()) return;
  const auto columns = columns_for(room);
  std::size_t left = room;
  for (const auto* column : columns) left -= kGapBetween + column->width;
  std::size_t name_width = std::string_view("service").size();
  for (const auto& service : now.report.services)
    name_width = std::max(name_width, printable(service.name).size());
  name_width = std::min(name_width, left);

  std::string head = fmt::format("{:{}}", "service", name_width);
  for (const auto* column : columns) head += fmt::format("  {:>{}}", column->head, column->width);
  lines.push_back({std::move(head), Paint::kFaint});
  for (const auto& service : now.report.services) {
    const auto name = printable(service.name);
    std::string line = shortened(name, name_width);
    line += std::string(name_width - std::min(name_width, name.size()), ' ');
    for (const auto* column : columns)
      line += fmt::format("  {:>{}}", column->cell(now, rates, service), column->width);
    lines.push_back({std::move(line), paint_of(service)});
  }
}

std::uint64_t kernel_bytes(const Sight& sight) {
  const auto& all = sight.report.connections;
  return all.to_backend.kernel_bytes + all.to_client.kernel_bytes;
}

std::uint64_t user_bytes(const Sight& sight) {
  const auto& all = sight.report.connections;
  return all.to_backend.user_bytes + all.to_client.user_bytes;
}

std::uint64_t direct_now(const StatusReport& report) {
  std::uint64_t now = 0;
  for (const auto& service : report.services)
    for (const auto& endpoint : service.endpoints) now += endpoint.direct_now;
  return now;
}

void add_traffic(const Sight& now, const Rates& rates, std::vector<WatchLine>& lines) {
  if (now.report.engine.empty()) return;
  const auto& all = now.report.connections;
  const auto by_kernel = rates.of(&kernel_bytes);
  const auto by_user = rates.of(&user_bytes);
  auto line =
      fmt::format("{} now, {} new a second", counted(all.now, "connection"),
                  human_rate(rates.of([](const Sight& s) { return s.report.connections.total; })));
  if (const auto direct = direct_now(now.report); direct > 0)
    line += fmt::format("; {} direct now", human_count(direct));
  lines.push_back({std::move(line)});
  if (!by_kernel || !by_user) return;
  const auto sum = *by_kernel + *by_user;
  lines.push_back(
      {fmt::format("kernel {}/s ({}), user space {}/s ({})", human_byte_rate(by_kernel),
                   percent(*by_kernel, sum), human_byte_rate(by_user), percent(*by_user, sum))});
}

void add_registrars(const StatusReport& report, std::vector<WatchLine>& lines) {
  for (const auto& registrar : report.registrars) {
    const auto kept = std::ranges::count(registrar.registrations, "registered",
                                         &StatusReport::Registration::state);
    lines.push_back(
        {fmt::format("registrar {}: {} of {} kept; docker {}, etcd {}", printable(registrar.name),
                     kept, counted(registrar.registrations.size(), "registration"),
                     printable(registrar.docker.state), printable(registrar.etcd.state))});
  }
}

std::string head_of(const StatusReport& report) {
  auto head = fmt::format("ambbpf {}, pid {}, up {}", printable(report.verb), report.pid,
                          human_span(report.uptime_ms));
  if (!report.engine.empty())
    head += fmt::format(", {}, {}", counted(report.threads, "thread"), printable(report.engine));
  return head + (report.draining ? ", draining" : "");
}

constexpr std::string_view code_of(Paint paint) {
  switch (paint) {
    case Paint::kPlain:
      return "";
    case Paint::kHead:
      return "\x1b[1m";
    case Paint::kFaint:
      return "\x1b[2m";
    case Paint::kWarning:
      return "\x1b[33m";
    case Paint::kTrouble:
      return "\x1b[31m";
  }
  return "";
}

}  // namespace

std::vector<WatchLine> watch_lines(const WatchedProcess& process, std::size_t columns) {
  std::vector<WatchLine> lines;
  if (!process.now) {
    lines.push_back({fmt::format("{}: {}", printable(process.socket), printable(process.missing)),
                     Paint::kTrouble});
  } else {
    const auto& [report, sums] = *process.now;
    const Rates rates(*process.now, process.before);
    lines.push_back({head_of(report), Paint::kHead});
    for (const auto& trouble : troubles(report))
      lines.push_back({"! " + printable(trouble), Paint::kTrouble});
    if (sums && sums->silent_threads > 0)
      lines.push_back({fmt::format("! {} of {} did not answer in time", sums->silent_threads,
                                   counted(sums->threads, "thread")),
                       Paint::kTrouble});
    add_traffic(*process.now, rates, lines);
    add_services(*process.now, rates, columns, lines);
    add_registrars(report, lines);
  }
  for (auto& line : lines) line.text = shortened(std::move(line.text), columns);
  return lines;
}

std::vector<WatchLine> fitted(std::vector<WatchLine> lines, std::size_t rows, std::size_t columns) {
  if (lines.size() <= rows || rows == 0) return lines;
  const auto missing = lines.size() - (rows - 1);
  lines.resize(rows - 1);
  lines.push_back(
      {shortened(fmt::format("and {} more", counted(missing, "line")), columns), Paint::kFaint});
  return lines;
}

std::string painted(const std::vector<WatchLine>& lines, bool in_colour) {
  std::string all = "\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto code = in_colour ? code_of(lines[i].paint) : "";
    all += i == 0 ? "" : "\r\n";
    all += fmt::format("{}{}{}\x1b[K", code, lines[i].text, code.empty() ? "" : "\x1b[0m");
  }
  return all + "\x1b[J";
}

}  // namespace ambbpf
