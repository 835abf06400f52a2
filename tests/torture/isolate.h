// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/torture/script.h"

namespace ambbpf::torture {

// Takes the process, which has one thread yet, into a network namespace of its own, in which only
// loopback exists: there its ports are nobody else's, and the kernel's socket buffers, the proxy's
// included, are as `buffers` says. Throws std::system_error where that is not permitted.
void enter_own_network(Buffers buffers);

}  // namespace ambbpf::torture
