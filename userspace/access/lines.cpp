// SPDX-License-Identifier: Apache-2.0
#include "userspace/access/lines.h"

#include <iterator>

#include "userspace/endpoints/endpoint.h"
#include "userspace/support/json_writer.h"
#include "userspace/support/quote.h"
#include "userspace/support/time_stamp.h"

namespace ambbpf {
namespace {

constexpr std::size_t kMostRemembered = 4096;  // of each kind; then anew

// Whole, in quotes where it is not plain, with nothing in it that could end them or the line.
std::string text_of(std::string_view name) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:[]@+%";
  if (name.find_first_not_of(kPlain) == std::string_view::npos) return std::string(name);
  std::string out = "'";
  for (const char c : name)
    out += c == '\'' || c == '\\' ? fmt::format("\\x{:02x}", static_cast<unsigned char>(c))
                                  : printable({&c, 1});
  return out + "'";
}

std::string json_of(std::string_view name) {
  rapidjson::StringBuffer buffer;
  JsonWriter out(buffer);
  write_text(out, name);
  return {buffer.GetString(), buffer.GetSize()};
}

// Milliseconds with three places.
struct Milliseconds {
  Clock::duration time;
};

}  // namespace
}  // namespace ambbpf

template <>
struct fmt::formatter<ambbpf::Milliseconds> {
  static constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  static auto format(const ambbpf::Milliseconds& given, fmt::format_context& context) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(given.time).count();
    return fmt::format_to(context.out(), "{}.{:03}", us / 1000, us % 1000);
  }
};

namespace ambbpf {

const AccessLines::Origin& AccessLines::origin_of(const AccessRecord& record) {
  const auto found = origins_.find(record.origin.get());
  if (found != origins_.end()) return found->second;
  if (origins_.size() == kMostRemembered) origins_.clear();
  const auto& [service, address] = *record.origin;
  const auto listener = to_string(address);
  Origin made{.of = record.origin, .words = {}, .fields = {}};
  made.words =
      format_ == AccessFormat::kText
          ? fmt::format("service={} listener={}", text_of(service), text_of(listener))
          : fmt::format(R"("service":{},"listener":{})", json_of(service), json_of(listener));
  made.fields = fmt::format("AMBBPF_SERVICE={}\nAMBBPF_LISTENER={}", printable(service), listener);
  return origins_.emplace(record.origin.get(), std::move(made)).first->second;
}

std::string_view AccessLines::endpoint_of(const AccessRecord& record) {
  if (record.endpoint.port() == 0) return {};
  const auto found = endpoints_.find(record.endpoint);
  if (found != endpoints_.end()) return found->second;
  if (endpoints_.size() == kMostRemembered) endpoints_.clear();
  return endpoints_.emplace(record.endpoint, text_of(to_string(record.endpoint))).first->second;
}

void AccessLines::append_line(const AccessRecord& record, const Origin& origin,
                              std::string_view endpoint, fmt::memory_buffer& out) const {
  const auto end = std::back_inserter(out);
  const auto time = time_stamp(record.ended);
  const auto client = to_string(unmapped(record.client));
  const Milliseconds lasted{record.lasted};
  const Milliseconds connected{record.connected_after.value_or(Clock::duration())};
  if (format_ == AccessFormat::kText) {
    fmt::format_to(end, "time={} {} client={} endpoint={}", time, origin.words, text_of(client),
                   endpoint.empty() ? "-" : endpoint);
    fmt::format_to(end, " bytes_to_backend={} bytes_to_client={} kernel_bytes={} duration_ms={}",
                   record.bytes_to_backend, record.bytes_to_client, record.kernel_bytes, lasted);
    if (record.connected_after)
      fmt::format_to(end, " connect_ms={}", connected);
    else
      fmt::format_to(end, " connect_ms=-");
    fmt::format_to(end, " tries={} reason={}", record.tries, name_of(record.reason));
    return;
  }
  fmt::format_to(end, R"({{"time":"{}",{},"client":{})", time, origin.words, json_of(client));
  if (!endpoint.empty()) fmt::format_to(end, R"(,"endpoint":{})", json_of(endpoint));
  fmt::format_to(
      end, R"(,"bytes_to_backend":{},"bytes_to_client":{},"kernel_bytes":{},"duration_ms":{})",
      record.bytes_to_backend, record.bytes_to_client, record.kernel_bytes, lasted);
  if (record.connected_after) fmt::format_to(end, R"(,"connect_ms":{})", connected);
  fmt::format_to(end, R"(,"tries":{},"reason":"{}"}})", record.tries, name_of(record.reason));
}

void AccessLines::append(const AccessRecord& record, fmt::memory_buffer& out) {
  const auto& origin = origin_of(record);
  const auto endpoint = endpoint_of(record);
  const auto end = std::back_inserter(out);
  if (frame_ == Frame::kJournalEntry) fmt::format_to(end, "MESSAGE=");
  append_line(record, origin, endpoint, out);
  if (frame_ == Frame::kJournalEntry)
    fmt::format_to(end,
                   "\nPRIORITY=6\nSYSLOG_IDENTIFIER=ambbpf\n{}\nAMBBPF_CLIENT={}\n"
                   "AMBBPF_ENDPOINT={}\nAMBBPF_REASON={}",
                   origin.fields, to_string(unmapped(record.client)), endpoint,
                   name_of(record.reason));
  fmt::format_to(end, "{}", end_of_line());
}

}  // namespace ambbpf
