// SPDX-License-Identifier: Apache-2.0
// `ambbpf connections`: asks running processes what their open connections do.
#pragma once

#include <iosfwd>

#include "userspace/cli/processes.h"
#include "userspace/config/command_line.h"

namespace ambbpf {

// As ask_processes(). kDegraded: the service that was asked for is nowhere; a line on `err` names
// those that there are.
int run_connections(const ConnectionsOptions& options, const AdminPlaces& places, std::ostream& out,
                    std::ostream& err);

// With the usual places, to stdout and stderr.
int run_connections(const ConnectionsOptions& options);

}  // namespace ambbpf
