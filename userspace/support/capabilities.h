// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace ambbpf {

// Of those that loading and attaching our kernel programs takes, by name; before Linux 5.8 and with
// old container engines CAP_SYS_ADMIN stands for the first two.
std::vector<std::string> capabilities_missing_for_bpf();

// Whether this thread may look into other users' processes (ptrace(2)).
bool may_look_into_processes();

}  // namespace ambbpf
