// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/support/asio.h"

namespace ambbpf::test {

// A loopback port (127.0.0.1) where nobody listens just now, below the range that outgoing
// connections are given, and never the same one twice in a process: a server may be stopped and
// started on it again.
unsigned short free_port();
tcp::endpoint free_address();

}  // namespace ambbpf::test
