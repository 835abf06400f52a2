// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/connection_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "userspace/admin/json_fields.h"
#include "userspace/support/quote.h"

namespace ambbpf {

void each_field(Either<ConnectionReport::Direction> auto& direction, auto&& visit) {
  visit("bytes", direction.bytes);
  visit("bytes_per_second", direction.bytes_per_second);
  visit("by", direction.by);
  visit("why", direction.why);
}

void each_field(Either<ConnectionReport::Leg> auto& leg, auto&& visit) {
  visit("address", leg.address);
  visit("rtt_us", leg.rtt_us);
  visit("retransmits", leg.retransmits);
}

void each_field(Either<ConnectionReport::Connection> auto& connection, auto&& visit) {
  visit("service", connection.service);
  visit("age_ms", connection.age_ms);
  visit("client", connection.client);
  visit("backend", connection.backend);
  visit("to_backend", connection.to_backend);
  visit("to_client", connection.to_client);
}

void each_field(Either<ConnectionReport::Service> auto& service, auto&& visit) {
  visit("name", service.name);
  visit("open", service.open);
  visit("bytes_to_backend", service.bytes_to_backend);
  visit("bytes_to_client", service.bytes_to_client);
  visit("ended_bytes_to_backend", service.ended_bytes_to_backend);
  visit("ended_bytes_to_client", service.ended_bytes_to_client);
  visit("directions_in_kernel", service.directions_in_kernel);
  visit("direct_now", service.direct_now);
}

void each_field(Either<ConnectionReport> auto& report, auto&& visit) {
  visit("pid", report.pid);
  visit("verb", report.verb);
  visit("threads", report.threads);
  visit("silent_threads", report.silent_threads);
  visit("sort", report.sort);
  visit("window_ms", report.window_ms);
  visit("services", report.services);
  visit("connections", report.connections);
}

namespace {

Result<void> take_parameter(std::string_view name, std::string value, ConnectionsQuestion& into) {
  constexpr std::array<std::string_view, 3> kSorts{"bytes", "age", "rate"};
  if (name == "service") {
    into.service = std::move(value);
  } else if (name == "sort") {
    if (std::ranges::find(kSorts, value) == kSorts.end())
      return fail(
          fmt::format("sort: there are bytes, age and rate, not {}", ambbpf::quoted(value)));
    into.sort = std::move(value);
  } else if (name == "limit") {
    const char* end = value.data() + value.size();
    const auto [rest, error] = std::from_chars(value.data(), end, into.limit);
    if (error != std::errc{} || rest != end || into.limit > ConnectionsQuestion::kMost)
      return fail(fmt::format("limit: a number up to {}, not {}", ConnectionsQuestion::kMost,
                              ambbpf::quoted(value)));
  } else {
    return fail(fmt::format("there are service, sort and limit, not {}", quoted(name)));
  }
  return {};
}

}  // namespace

Result<ConnectionsQuestion> connections_question(const Query& query) {
  ConnectionsQuestion question;
  for (const auto& [name, value] : query)
    if (auto taken = take_parameter(name, value, question); !taken)
      return tl::unexpected(taken.error());
  return question;
}

std::string to_json(const ConnectionReport& report) { return json_of(report); }

Result<ConnectionReport> connection_report_from_json(std::string_view json) {
  return from_json<ConnectionReport>(json, "connections");
}

}  // namespace ambbpf
