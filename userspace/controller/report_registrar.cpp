// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "userspace/controller/report.h"

namespace ambbpf {
namespace {

const char* state_name(DockerStatus::State state) {
  switch (state) {
    case DockerStatus::State::kStarting:
      return "starting";
    case DockerStatus::State::kFollowing:
      return "following";
    case DockerStatus::State::kFailing:
      break;
  }
  return "failing";
}

const char* state_name(RegisteredKey::State state) {
  switch (state) {
    case RegisteredKey::State::kPending:
      return "pending";
    case RegisteredKey::State::kKept:
      return "registered";
    case RegisteredKey::State::kOvertaken:
      return "overtaken";
    case RegisteredKey::State::kWithdrawing:
      break;
  }
  return "removing";
}

StatusReport::Docker report_docker(const DockerStatus& docker, Clock::time_point now) {
  return {.from = docker.from,
          .version = docker.version,
          .state = state_name(docker.state),
          .containers = docker.containers,
          .heard_ms = age(docker.heard_at, now),
          .failed_ms = age(docker.failed_at, now),
          .last_error = docker.last_error,
          .lists = docker.lists,
          .events = docker.events,
          .failures = docker.failures};
}

StatusReport::KeyStore report_key_store(const ReconcilerStatus& etcd, Clock::time_point now) {
  return {.from = etcd.from,
          .api = etcd.api,
          .state = etcd.failing    ? "failing"
                   : etcd.heard_at ? "keeping"
                                   : "starting",
          .heard_ms = age(etcd.heard_at, now),
          .failed_ms = age(etcd.failed_at, now),
          .last_error = etcd.last_error,
          .writes = etcd.writes,
          .keepalives = etcd.keepalives,
          .lost = etcd.lost,
          .deletes = etcd.deletes,
          .failures = etcd.failures};
}

// What is planned, and how far etcd has it. Keys that are only still to be removed are added by the
// caller.
StatusReport::Registration report_planned(const PlannedKey& planned, const RegisteredKey* kept) {
  StatusReport::Registration report{.container = planned.container,
                                    .key = planned.key,
                                    .endpoint = {},
                                    .state = planned.unreachable ? "unreachable" : "waiting",
                                    .note = planned.why_not};
  if (!planned.endpoint) return report;
  report.endpoint = to_string(*planned.endpoint);
  report.state = kept ? state_name(kept->state) : "pending";
  if (kept) report.note = kept->note;
  return report;
}

}  // namespace

StatusReport::Registrar report_registrar(const RegistrationPlanner& planner,
                                         const KeyReconciler& reconciler,
                                         const DockerStatus& docker, Clock::time_point now) {
  StatusReport::Registrar report;
  if (!planner.advertised().is_unspecified()) report.advertised = planner.advertised().to_string();
  report.docker = report_docker(docker, now);
  report.etcd = report_key_store(reconciler.status(), now);
  std::map<std::string, RegisteredKey> kept;
  for (auto& key : reconciler.keys()) kept.emplace(key.key, key);
  if (const auto& plan = planner.plan()) {
    for (const auto& planned : plan->keys) {
      const auto found = kept.find(planned.key);
      report.registrations.push_back(
          report_planned(planned, found == kept.end() ? nullptr : &found->second));
      if (planned.endpoint && found != kept.end()) kept.erase(found);
    }
    for (const auto& [container, reason] : plan->complaints)
      report.rejected.push_back({container, reason});
  }
  for (const auto& [key, left] : kept)
    report.registrations.push_back({.container = {},
                                    .key = key,
                                    .endpoint = {},
                                    .state = state_name(left.state),
                                    .note = left.note});
  return report;
}

}  // namespace ambbpf
