// SPDX-License-Identifier: Apache-2.0
// One function for each verb; the result is the process's exit code.
#pragma once

#include "userspace/cli/connections.h"
#include "userspace/cli/status.h"
#include "userspace/config/command_line.h"

namespace ambbpf {

inline constexpr int kUsageError = 2;

int run_proxy(const ProxyOptions& options);
int run_forward(const ForwardOptions& options);
int run_register(const RegisterOptions& options);
// kUsageError: the file has mistakes, and would have them at the next start as well.
int run_run(const RunOptions& options);
int run_reload(const ReloadOptions& options);

// Exit codes as StatusExit; of a follower also 1: there are several processes.
int run_events(const EventsOptions& options);
// Exit codes as StatusExit; 1: no process has such a service.
int run_why(const WhyOptions& options);

// Exit codes as StatusExit; 1: no process has such a service, or endpoint.
int run_order(const OrderOptions& options);

// Prints mistakes, one a line; exit codes: 0 there are none, 1 there are.
int run_check(const CheckOptions& options);

// Exit codes: 0 an engine works here, though it may not be the best, which is told; 1 none does.
int run_doctor(const DoctorOptions& options);

// Exit codes: 0 nothing is left of processes that are gone, 1 something could not be removed.
int run_cleanup();

int run_version(const VersionOptions& options);

// Exit codes: 0 all is written, 1 a file could not be.
int run_reference(const ReferenceOptions& options);

// One line on stderr: "ambbpf: …".
void complain(const std::string& what);

}  // namespace ambbpf
