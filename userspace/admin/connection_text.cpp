// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "userspace/admin/connection_report.h"
#include "userspace/support/plain_text.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

using Cells = std::array<std::string, 7>;

std::string human_rtt(std::uint64_t microseconds) {
  if (microseconds == 0) return "-";
  return microseconds < 1000 ? fmt::format("{}us", microseconds)
                             : fmt::format("{:.1f}ms", static_cast<double>(microseconds) / 1000);
}

// An end: what it has sent, and who passes that on.
Cells cells_of(const char* end, const ConnectionReport::Leg& leg,
               const ConnectionReport::Direction& sent) {
  return {end,
          leg.address.empty() ? "-" : printable(leg.address),
          human_bytes(sent.bytes),
          human_bytes(sent.bytes_per_second),
          human_rtt(leg.rtt_us),
          human_count(leg.retransmits),
          printable(sent.why.empty() ? sent.by : fmt::format("{}, {}", sent.by, sent.why))};
}

std::string line_of(const Cells& cells, const std::array<std::size_t, 7>& widths) {
  auto line = fmt::format(" {:{}} {:{}}", cells[0], widths[0], cells[1], widths[1]);
  for (std::size_t i = 2; i < 6; ++i) line += fmt::format("  {:>{}}", cells[i], widths[i]);
  return line + "  " + cells[6] + '\n';
}

std::string head_of(const ConnectionReport& report) {
  std::uint64_t open = 0;
  std::uint64_t direct = 0;
  for (const auto& service : report.services) {
    open += service.open;
    direct += service.direct_now;
  }
  const auto by = report.sort == "age" ? "oldest" : report.sort == "rate" ? "busiest" : "largest";
  auto head = fmt::format("ambbpf {}, pid {}: {} open", printable(report.verb), report.pid,
                          counted(open, "connection"));
  if (const auto shown = report.connections.size(); shown > 0)
    head += shown < open ? fmt::format(", the {} {}", shown, by) : fmt::format(", {} first", by);
  head += '\n';
  if (direct > 0)
    head += fmt::format("{} more without the proxy (zero hop): these are not listed\n",
                        human_count(direct));
  if (report.silent_threads > 0)
    head += fmt::format("{} of {} did not answer in time: their connections are missing\n",
                        report.silent_threads, counted(report.threads, "thread"));
  return head;
}

}  // namespace

std::string to_text(const ConnectionReport& report) {
  const Cells heads{"", "", "sent", "a second", "rtt", "resent", "by"};
  std::vector<Cells> rows;
  for (const auto& each : report.connections) {
    rows.push_back(cells_of("client", each.client, each.to_backend));
    rows.push_back(cells_of("backend", each.backend, each.to_client));
  }
  std::array<std::size_t, 7> widths{};
  for (std::size_t i = 0; i < widths.size(); ++i) {
    widths[i] = heads[i].size();
    for (const auto& row : rows) widths[i] = std::max(widths[i], row[i].size());
  }
  auto text = head_of(report);
  if (!rows.empty()) text += '\n' + line_of(heads, widths);
  for (std::size_t i = 0; i < report.connections.size(); ++i) {
    const auto& each = report.connections[i];
    text += fmt::format("{}, {}\n", printable(each.service), human_span(each.age_ms));
    text += line_of(rows[2 * i], widths) + line_of(rows[2 * i + 1], widths);
  }
  return text;
}

}  // namespace ambbpf
