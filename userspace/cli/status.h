// SPDX-License-Identifier: Apache-2.0
// `ambbpf status`: asks running processes for their reports, or only whether they are ready, over
// their admin sockets.
#pragma once

#include <iosfwd>

#include "userspace/admin/admin_paths.h"
#include "userspace/config/command_line.h"

namespace ambbpf {

// What run_status() returns, and the process exits with. The highest that applies of kAllWell,
// kDegraded and kNoAnswer; kNothingRuns applies alone.
enum StatusExit : int {
  kAllWell = 0,
  kDegraded = 1,     // is_degraded() (admin/status_report.h) of a process; kReady: one is not ready
  kNothingRuns = 3,  // no process was found, or none behind the socket that was named
  kNoAnswer = 4,     // a process did not answer in time or not sensibly, or we may not ask it
};

// Reports go to `out`, one line for each process that could not be asked to `err`. Without
// options.admin, the places are searched, and sockets that crashed processes left there are passed
// over in silence.
int run_status(const StatusOptions& options, const AdminPlaces& places, std::ostream& out,
               std::ostream& err);

// With the usual places, to stdout and stderr.
int run_status(const StatusOptions& options);

}  // namespace ambbpf
