// SPDX-License-Identifier: Apache-2.0
// From what the parts know of themselves to what `ambbpf status` is told.
#pragma once

#include <chrono>

#include "userspace/admin/status_report.h"
#include "userspace/admin/why_report.h"
#include "userspace/dataplane/probe.h"
#include "userspace/dataplane/relay.h"
#include "userspace/discovery/source.h"
#include "userspace/docker/follower.h"
#include "userspace/endpoints/service.h"
#include "userspace/registration/planner.h"

namespace ambbpf {

std::uint64_t milliseconds_between(Clock::time_point from, Clock::time_point to);  // never below 0

// Milliseconds since then; nothing for what has not been.
std::optional<std::uint64_t> age(const std::optional<Clock::time_point>& then,
                                 Clock::time_point now);

StatusReport::Service report_service(Service& service, Clock::time_point now);
// Without what only its owner knows: zero_hop, when_empty, sources.
WhyReport report_why(Service& service, const std::vector<RejectedValue>& of_sources,
                     Clock::time_point now);
StatusReport::Source report_source(const SourceStatus& source, Clock::time_point now);
StatusReport::Connections report_connections(const RelayCounts& counts);
StatusReport::Registrar report_registrar(const RegistrationPlanner& planner,
                                         const KeyReconciler& reconciler,
                                         const DockerStatus& docker, Clock::time_point now);
StatusReport::Process report_process(std::chrono::system_clock::time_point started);
void report_engine(const EngineChoice& choice, StatusReport& report);

}  // namespace ambbpf
