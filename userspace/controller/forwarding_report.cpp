// SPDX-License-Identifier: Apache-2.0
// What is told of the services: readiness, addresses, and their part of the status.
#include <fmt/format.h>

#include "userspace/controller/forwarding.h"
#include "userspace/controller/report.h"

namespace ambbpf {

std::string Forwarding::not_ready() const {
  for (const auto& served : served_)
    if (!served->sources->any_answered())
      return fmt::format("service {}: no source has answered yet", served->settings.name);
  return {};
}

std::vector<std::string> Forwarding::addresses_of(const Service& service) const {
  std::vector<std::string> addresses;
  for (const auto& listener : listeners_)
    if (listener.serving.service.get() == &service)
      addresses.push_back(to_string(listener.address));
  return addresses;
}

std::vector<std::string> Forwarding::summary() const {
  std::vector<std::string> lines;
  for (const auto& served : served_)
    lines.push_back(fmt::format("service {} on {}", served->settings.name,
                                fmt::join(addresses_of(*served->service), ", ")));
  return lines;
}

void Forwarding::report_direct(const Served& served, StatusReport::Service& report) const {
  if (served.settings.direct == DirectMode::kOff) return;
  const bool is_missed = served.settings.direct == DirectMode::kOn;
  report.direct = served.why_not_direct.empty() ? "on" : is_missed ? "failing" : "off";
  report.direct_reason = served.why_not_direct;
  const auto sent = direct_ ? direct_->sent(*served.service) : std::nullopt;
  if (!sent) return;
  report.direct_connects = sent->direct;
  report.direct_left = sent->left;
  const auto endpoints = served.service->in_force();
  for (std::size_t i = 0; i < report.endpoints.size() && i < endpoints->size(); ++i) {
    const auto counts = direct_->counts(*served.service, *(*endpoints)[i].backend);
    auto& endpoint = report.endpoints[i];
    endpoint.direct_now = counts.connections_now;
    endpoint.direct_total = counts.connections_total;
    endpoint.direct_failed = counts.failed;
    endpoint.direct_bytes_to_backend = counts.bytes_to_backend;
    endpoint.direct_bytes_to_client = counts.bytes_to_client;
    endpoint.direct_connect_us = counts.connect_us;
    endpoint.direct_rtt_us = counts.rtt_us;
  }
}

void Forwarding::report_access_log(StatusReport& report, Clock::time_point now) const {
  if (!access_log_) return;
  std::optional<Clock::time_point> lost_at;
  if (access_counts_->lost > 0)
    lost_at = Clock::time_point(Clock::duration(access_counts_->lost_at.load()));
  report.access_log = {.target = access_log_->settings().target,
                       .sample = access_log_->settings().sample,
                       .lines = access_counts_->lines,
                       .lost = access_counts_->lost,
                       .lost_ms = age(lost_at, now),
                       .last_error = access_log_->trouble()};
}

void Forwarding::report(StatusReport& report, Clock::time_point now) const {
  report.threads = workers_->size();
  report_engine(workers_->engine(), report);
  for (const auto& served : served_) {
    auto& service = report.services.emplace_back(report_service(*served->service, now));
    service.listen = addresses_of(*served->service);
    service.policy = served->settings.policy;
    report_direct(*served, service);
    for (const auto& status : served->sources->status())
      service.sources.push_back(report_source(status, now));
  }
  for (const auto& removed : removed_)
    if (removed->connections_now > 0)
      report.services.emplace_back(report_service(*removed, now)).removed = true;
  report.connections = report_connections(workers_->counts());
  report_access_log(report, now);
}

}  // namespace ambbpf
