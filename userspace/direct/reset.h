// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "userspace/support/result.h"

namespace ambbpf {

// Whose connections: those that the programs of `owner` have sent to `backends`, as the map of what
// consumers have dialled says (struct direct_dialled).
struct SentOn {
  int dialled_map = -1;
  std::uint64_t owner = 0;
  std::vector<std::uint32_t> backends;
};

// Resets them in every network namespace that a process in /proc has and that may be entered; in
// the own one at least. Returns how many. Needs CAP_NET_ADMIN, Linux 5.7 for the map
// (INET_DIAG_REQ_SK_BPF_STORAGES), and CONFIG_INET_DIAG_DESTROY: sock_diag(7).
Result<std::size_t> reset_connections(const SentOn& which);

}  // namespace ambbpf
