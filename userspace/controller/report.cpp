// SPDX-License-Identifier: Apache-2.0
#include "userspace/controller/report.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <map>

namespace ambbpf {
namespace {

std::string state_name(SourceStatus::State state) {
  switch (state) {
    case SourceStatus::State::kStarting:
      return "starting";
    case SourceStatus::State::kFollowing:
      return "following";
    case SourceStatus::State::kFailing:
      return "failing";
    case SourceStatus::State::kNotServed:
      return "not served";
  }
  return "?";
}

void report_by_hand(const Override& said, StatusReport::Endpoint& report) {
  report.drained = said.is_drained;
  report.weight_by_hand = said.weight;
  report.weight = said.weight.value_or(report.weight);
  report.by = said.by;
  report.by_ms = static_cast<std::uint64_t>(said.age().count());
}

// Of those in a slow start.
std::map<const Backend*, std::uint64_t> slow_percents(const Choice& choice) {
  std::map<const Backend*, std::uint64_t> percents;
  for (const auto& candidate : choice.candidates)
    if (candidate.percent < 100) percents[candidate.backend.get()] = candidate.percent;
  return percents;
}

bool is_tried(Health::State state) {
  return state == Health::State::kDue || state == Health::State::kOnTrial;
}

StatusReport::Traffic report_traffic(const DirectionCounts& counts) {
  return {.kernel_bytes = counts.kernel_bytes, .user_bytes = counts.user_bytes};
}

}  // namespace

std::uint64_t milliseconds_between(Clock::time_point from, Clock::time_point to) {
  const auto span = std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count();
  return static_cast<std::uint64_t>(std::max<decltype(span)>(span, 0));
}

std::optional<std::uint64_t> age(const std::optional<Clock::time_point>& then,
                                 Clock::time_point now) {
  if (!then) return std::nullopt;
  return milliseconds_between(*then, now);
}

StatusReport::Service report_service(Service& service, Clock::time_point now) {
  StatusReport::Service report;
  report.name = service.name();
  report.connections_now = service.connections_now;
  report.connections_total = service.connections_total;
  report.max_connections = service.most_connections();
  report.out_of_descriptors = service.out_of_descriptors;
  report.no_proxy_header = service.no_proxy_header;
  report.malformed_proxy_headers = service.malformed_proxy_headers;
  report.denied = service.denied;
  report.too_many_of_a_client = service.too_many_of_a_client;
  report.too_fast_for_a_client = service.too_fast_for_a_client;
  report.too_fast = service.too_fast;
  report.too_many = service.too_many;
  report.endpoints_full = service.endpoints_full;
  report.queue_full = service.queue_full;
  report.queue_timeouts = service.queue_timeouts;
  report.refused = report.too_many + report.out_of_descriptors + report.no_proxy_header +
                   report.malformed_proxy_headers + report.denied + report.too_many_of_a_client +
                   report.too_fast_for_a_client + report.too_fast + report.endpoints_full +
                   report.queue_full + report.queue_timeouts;
  report.queued = service.queued;
  report.queued_now = service.queued_now;
  report.idle_timeouts = service.idle_timeouts;
  report.half_closed_timeouts = service.half_closed_timeouts;
  report.lifetimes_over = service.lifetimes_over;
  report.first_byte_timeouts = service.first_byte_timeouts;
  report.timed_out = report.idle_timeouts + report.half_closed_timeouts + report.lifetimes_over +
                     report.first_byte_timeouts;
  report.retries = service.connect_retries;
  report.connect_failures = service.connect_failures;
  report.reset_ejections = service.reset_ejections;
  report.ejections = service.connect_ejections + report.reset_ejections;
  report.early_resets = service.early_resets;
  report.used_all_the_same = service.used_all_the_same();
  report.checks_passed = service.checks_passed;
  report.checks_failed = service.checks_failed;
  report.held = service.held;
  report.held_now = service.held_now;
  report.gave_up = service.gave_up;
  report.failed = service.no_endpoint + report.gave_up;
  report.bytes_to_backend = service.bytes_to_backend;
  report.bytes_to_client = service.bytes_to_client;
  report.connect_times = service.connect_times.counts();
  report.first_bytes = service.first_bytes.counts();
  report.lives = service.lives.counts();
  const auto in_force = service.in_force();
  const auto overrides = service.overrides();
  const auto slow = slow_percents(*service.choice());
  report.endpoints.reserve(in_force->size());
  for (const auto& listed : *in_force) {
    const auto& backend = *listed.backend;
    const auto& standing = listed.standing;
    const bool is_backup = standing.priority == kBackupPriority;
    const auto checked = backend.checked();
    report.endpoints.push_back({
        .address = to_string(backend.address()),
        .found_as = listed.found_as,
        .ejected_ms = milliseconds_between(now, backend.ejected_until()),
        .on_trial = is_tried(backend.health(now)),
        .connections_now = backend.connections_now,
        .connections_total = backend.connections_total,
        .failed_connects = backend.failed_connects,
        .early_resets = backend.early_resets,
        .bytes_to_backend = backend.bytes_to_backend,
        .bytes_to_client = backend.bytes_to_client,
        .weight = standing.weight,
        .priority = is_backup ? 0 : standing.priority,
        .backup = is_backup,
        .zone = standing.zone,
        .slow_start = slow.contains(&backend) ? std::optional(slow.at(&backend)) : std::nullopt,
        .check = checked ? (checked->is_down ? "down" : "up") : "",
        .checked_ms = checked ? age(checked->at, now) : std::nullopt,
        .check_error = checked ? checked->last_error : "",
    });
    if (const auto said = overrides.of(backend.address()))
      report_by_hand(*said, report.endpoints.back());
  }
  for (const auto& [key, reason] : service.rejected()) report.rejected.push_back({key, reason});
  return report;
}

StatusReport::Source report_source(const SourceStatus& source, Clock::time_point now) {
  StatusReport::Source report;
  report.name = source.name;
  report.kind = source.kind;
  report.from = source.from;
  report.state = state_name(source.state);
  report.endpoints = source.endpoints;
  report.heard_ms = age(source.heard_at, now);
  report.failed_ms = age(source.failed_at, now);
  report.last_error = source.last_error;
  report.note = source.note;
  report.lists = source.lists;
  report.events = source.events;
  report.failures = source.failures;
  report.rejected_total = source.rejected_total;
  for (const auto& [key, reason] : source.rejected) report.rejected.push_back({key, reason});
  report.replaced = source.replaced;
  const bool is_away = source.state == SourceStatus::State::kFailing ||
                       source.state == SourceStatus::State::kNotServed;
  report.kept = source.kept || (is_away && source.endpoints > 0);
  report.propagation = source.propagation;
  return report;
}

StatusReport::Connections report_connections(const RelayCounts& counts) {
  return {
      .now = counts.connections_now,
      .total = counts.connections_total,
      .in_map_now = counts.in_map_now,
      .directions_in_kernel_now = counts.directions_in_kernel_now,
      .directions_in_user_now = counts.directions_in_user_now,
      .to_backend = report_traffic(counts.to_backend),
      .to_client = report_traffic(counts.to_client),
      .promoted = counts.promoted,
      .demoted = counts.demoted,
      .handed_over = counts.handed_over,
      .taken_back = counts.taken_back,
      .refused_by_kernel = counts.refused_by_kernel,
      .last_refusal = counts.last_refusal,
      .resets = counts.resets,
      .vanished = counts.vanished,
      .mismatches = counts.mismatches,
      .lost_events = counts.lost_events,
  };
}

void report_engine(const EngineChoice& choice, StatusReport& report) {
  report.engine = name_of(choice.engine);
  for (const auto& trial : choice.trials) {
    if (!trial.usable())
      report.engine_reason += fmt::format("{}{}: {}", report.engine_reason.empty() ? "" : "; ",
                                          name_of(trial.engine), trial.refusal);
    if (trial.engine != choice.engine) continue;
    for (const auto& finding : trial.findings)
      report.findings.push_back({finding.what, finding.ok, finding.detail});
  }
  utsname system{};
  ::uname(&system);
  report.kernel = fmt::format("{} {}", system.sysname, system.release);
}

}  // namespace ambbpf
