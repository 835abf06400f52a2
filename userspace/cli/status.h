// SPDX-License-Identifier: Apache-2.0
// `ambbpf status`: asks running processes for their reports, or only whether they are ready, over
// their admin sockets.
#pragma once

#include <iosfwd>

#include "userspace/admin/admin_paths.h"
#include "userspace/cli/processes.h"
#include "userspace/config/command_line.h"

namespace ambbpf {

// As ask_processes(). kDegraded: is_degraded() (admin/status_report.h) of a process; kReady: one is
// not ready. Not for options.watch.
int run_status(const StatusOptions& options, const AdminPlaces& places, std::ostream& out,
               std::ostream& err);

// With the usual places, to stdout and stderr.
int run_status(const StatusOptions& options);

}  // namespace ambbpf
