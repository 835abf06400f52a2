// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/tcp_info.h"

#include <linux/tcp.h>  // the only place: it cannot stand beside <netinet/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>

namespace ambbpf {
namespace {

// The kernel's include/net/tcp_states.h.
enum State { kEstablished = 1, kFinWait1 = 4, kClosed = 7, kLastAck = 9, kClosing = 11 };

// Of the bytes that wait to be sent the last is our FIN, unless it has been sent.
bool ends_with_a_fin(const tcp_info& info) {
  return info.tcpi_notsent_bytes > 0 &&
         (info.tcpi_state == kFinWait1 || info.tcpi_state == kLastAck ||
          info.tcpi_state == kClosing);
}

// Its size says which fields the kernel knows; 0: the call failed.
socklen_t ask(int socket, tcp_info& info) {
  socklen_t size = sizeof info;
  return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? size : 0;
}

}  // namespace

std::optional<TcpCounts> tcp_counts(int socket) {
  tcp_info info{};
  const auto size = ask(socket, info);
  if (size < offsetof(tcp_info, tcpi_bytes_retrans) + sizeof info.tcpi_bytes_retrans)
    return std::nullopt;
  return TcpCounts{
      .received = info.tcpi_bytes_received,
      .entered = info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes -
                 (ends_with_a_fin(info) ? 1U : 0U),
      .acknowledged = info.tcpi_bytes_acked,
      .queue_empty = info.tcpi_notsent_bytes == 0 && info.tcpi_unacked == 0,
      .closed = info.tcpi_state == kClosed,
  };
}

// What is unacknowledged need not be unanswered: a receiver short of memory drops it, and says so
// each time or, before Linux 6.6 (e2142825c120), never. So what has been sent counts only where
// nothing waits behind it, as behind a request that a backend has yet to see, and when the silence
// is longer than the pause up to the next repetition, which the kernel doubles with each of them.
std::optional<LifeSigns> life_signs(int socket) {
  using std::chrono::microseconds;
  using std::chrono::milliseconds;
  tcp_info info{};
  if (ask(socket, info) == 0 || info.tcpi_state == kClosed) return std::nullopt;
  // Bytes that come with no news in their acknowledgement count as the former only.
  const milliseconds heard_ago(std::min(info.tcpi_last_data_recv, info.tcpi_last_ack_recv));
  const bool has_sent_all = info.tcpi_unacked > 0 && info.tcpi_notsent_bytes == 0;
  return LifeSigns{
      .heard_ago = heard_ago,
      .awaits_answer =
          info.tcpi_probes > 0 || (has_sent_all && heard_ago > microseconds(info.tcpi_rto)),
      .bytes_wait = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0,
      .is_established = info.tcpi_state == kEstablished,
      .backs_off = info.tcpi_backoff > 0,
  };
}

PathFigures path_figures(int socket) {
  tcp_info info{};
  if (ask(socket, info) == 0) return {};
  return {.round_trip = std::chrono::microseconds(info.tcpi_rtt),
          .retransmits = info.tcpi_total_retrans};
}

}  // namespace ambbpf
