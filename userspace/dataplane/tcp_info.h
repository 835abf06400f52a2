// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace ambbpf {

// A TCP socket's own count of bytes, from one TCP_INFO call: taken under the socket's lock, so the
// numbers belong together, and every verdict of the kernel program that began before the call has
// ended when it returns.
struct TcpCounts {
  // Arrived in order. A FIN counts as one byte.
  std::uint64_t received = 0;
  // Put into the send queue: sent for the first time, or waiting to be. A FIN does not count.
  std::uint64_t entered = 0;
  std::uint64_t acknowledged = 0;  // rises with all that the peer's kernel has taken
  bool queue_empty = false;        // nothing waits to be sent or to be acknowledged
  bool closed = false;             // reset, timed out, or both FINs exchanged and acknowledged
};

// Empty on kernels before 4.19, which do not report tcpi_bytes_sent (Linux ba113c3aa79a).
std::optional<TcpCounts> tcp_counts(int socket);

// What tells a peer that lives from one that has vanished.
struct LifeSigns {
  std::chrono::milliseconds heard_ago{};  // since its last segment
  // A question of the kernel's is out: a keepalive, a window probe, or the last of our bytes, or
  // our FIN, which should have been acknowledged by now. It may have been put this very moment.
  bool awaits_answer = false;
  bool bytes_wait = false;      // to be sent or acknowledged: then the kernel sends no keepalives
  bool is_established = false;  // neither side has sent its FIN
  bool backs_off = false;       // the pauses between such questions grow
};

// Empty where the connection has ended.
std::optional<LifeSigns> life_signs(int socket);

// What the kernel has measured of the way to the peer.
struct PathFigures {
  std::chrono::microseconds round_trip{};  // smoothed; 0: not known yet
  std::uint64_t retransmits = 0;           // segments that were sent again, in all
};

// Zeros where the connection has ended.
PathFigures path_figures(int socket);

}  // namespace ambbpf
