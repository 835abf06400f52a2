// SPDX-License-Identifier: Apache-2.0
// What is known of one service and of nobody else: why its next connection goes where it goes.
#include <fmt/format.h>

#include <algorithm>

#include "userspace/controller/forwarding.h"
#include "userspace/controller/report.h"
#include "userspace/support/plain_text.h"

namespace ambbpf {
namespace {

std::string zero_hop_of(const StatusReport::Service& service) {
  if (service.direct.empty()) return "off: direct is not set; consumers go by the proxy";
  if (service.direct == "on")
    return "on: consumers on this host connect straight to an endpoint, by the same choice";
  return fmt::format("off: consumers go by the proxy: {}", service.direct_reason);
}

std::string when_empty(std::chrono::milliseconds hold) {
  if (hold.count() <= 0) return "clients are reset at once (hold is 0)";
  return fmt::format("clients are held for {}, then reset",
                     human_span(static_cast<std::uint64_t>(hold.count())));
}

}  // namespace

std::vector<std::string> Forwarding::names() const {
  std::vector<std::string> names;
  for (const auto& served : served_) names.push_back(served->settings.name);
  return names;
}

const Forwarding::Served* Forwarding::served_named(std::string_view service) const {
  const auto found = std::ranges::find_if(
      served_, [&](const auto& served) { return served->settings.name == service; });
  return found == served_.end() ? nullptr : found->get();
}

std::optional<WhyReport> Forwarding::why(std::string_view service, Clock::time_point now) const {
  const auto* const found = served_named(service);
  if (!found) return std::nullopt;
  const auto& served = *found;
  const auto sources = served.sources->status();
  std::vector<RejectedValue> rejected;
  for (const auto& source : sources)
    std::ranges::copy(source.rejected, std::back_inserter(rejected));
  auto report = report_why(*served.service, rejected, now);
  StatusReport::Service direct;
  report_direct(served, direct);
  report.zero_hop = zero_hop_of(direct);
  report.when_empty = when_empty(served.settings.dial.hold);
  for (const auto& status : sources) {
    const auto source = report_source(status, now);
    report.sources.push_back({.name = source.name,
                              .kind = source.kind,
                              .state = source.state,
                              .endpoints = source.endpoints,
                              .note = source.note.empty() && source.kept
                                          ? "what it knew counts: " + source.last_error
                                          : source.note});
  }
  return report;
}

}  // namespace ambbpf
