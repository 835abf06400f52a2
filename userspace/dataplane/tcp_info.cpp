// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/tcp_info.h"

#include <linux/tcp.h>  // the only place: it cannot stand beside <netinet/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace ambbpf {

std::optional<TcpCounts> tcp_counts(int socket) {
  constexpr int kClosed = 7;  // TCP_CLOSE in the kernel's include/net/tcp_states.h
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  if (size < offsetof(tcp_info, tcpi_bytes_retrans) + sizeof info.tcpi_bytes_retrans)
    return std::nullopt;
  return TcpCounts{
      .received = info.tcpi_bytes_received,
      .entered = info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes,
      .closed = info.tcpi_state == kClosed,
  };
}

}  // namespace ambbpf
