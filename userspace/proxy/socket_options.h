// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "userspace/support/result.h"

namespace ambbpf {

// What both sockets of a connection are set to; accepted ones inherit it from the listener:
//   TCP_NODELAY       the peers have coalesced already what they want coalesced
//   SO_OOBINLINE      an urgent byte is a byte of the stream, and arrives in its place
//   SO_KEEPALIVE      a vanished peer of an idle connection is found out, after 60 s idle
//   TCP_USER_TIMEOUT  a vanished peer, or one that takes nothing, ends the connection (RFC 5482)
inline constexpr std::chrono::seconds kPeerTimeout{300};

Result<void> set_connection_options(int socket);

}  // namespace ambbpf
