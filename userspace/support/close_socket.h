// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include "userspace/support/unique_fd.h"

namespace ambbpf {

// Ends a TCP connection at once: what was not sent yet is thrown away and the peer gets a reset
// (socket(7), SO_LINGER with 0 seconds).
inline void close_with_reset(UniqueFd socket) {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

// Ends it in order: the peer reads the end of the stream. What it has sent meanwhile is read away
// (MSG_TRUNC, tcp(7)), as a socket that is closed with bytes unread ends with a reset (RFC 2525,
// 2.17).
inline void close_in_order(UniqueFd socket) {
  constexpr std::size_t kAll = 1U << 30U;
  ::recv(socket.get(), nullptr, kAll, MSG_TRUNC | MSG_DONTWAIT);
}

}  // namespace ambbpf
