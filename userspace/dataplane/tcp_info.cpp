// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/tcp_info.h"

#include <linux/tcp.h>  // the only place: it cannot stand beside <netinet/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace ambbpf {
namespace {

// The kernel's include/net/tcp_states.h.
enum State { kFinWait1 = 4, kClosed = 7, kLastAck = 9, kClosing = 11 };

// Of the bytes that wait to be sent the last is our FIN, unless it has been sent.
bool ends_with_a_fin(const tcp_info& info) {
  return info.tcpi_notsent_bytes > 0 &&
         (info.tcpi_state == kFinWait1 || info.tcpi_state == kLastAck ||
          info.tcpi_state == kClosing);
}

}  // namespace

std::optional<TcpCounts> tcp_counts(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  if (size < offsetof(tcp_info, tcpi_bytes_retrans) + sizeof info.tcpi_bytes_retrans)
    return std::nullopt;
  return TcpCounts{
      .received = info.tcpi_bytes_received,
      .entered = info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes -
                 (ends_with_a_fin(info) ? 1U : 0U),
      .queue_empty = info.tcpi_notsent_bytes == 0 && info.tcpi_unacked == 0,
      .closed = info.tcpi_state == kClosed,
  };
}

}  // namespace ambbpf
