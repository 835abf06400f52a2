// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <list>

#include "userspace/dataplane/peer_watch.h"
#include "userspace/support/asio.h"

namespace ambbpf {

class Connection;

// How many connections a turn looks at, and when the next turn is, so that of so many each has been
// looked at when `round` is over, and no turn holds up the others.
struct LivenessScanStep {
  std::size_t checks;
  Clock::duration pause;
};
inline constexpr std::size_t kMostLivenessChecks = 64;  // a turn: some 0.2 ms
LivenessScanStep liveness_scan_step(std::size_t connections, Clock::duration round,
                                    std::size_t most = kMostLivenessChecks);

// Those connections of a thread that have one keepalive policy. It looks after their peers, at each
// connection once in KeepalivePolicy::look_every(), and resets the connections of those that have
// vanished; it stops while there are no connections. So no policy makes another's looks dearer.
class LivenessScan {
 public:
  LivenessScan(asio::io_context& io, const KeepalivePolicy& its_keepalive);
  ~LivenessScan();
  LivenessScan(const LivenessScan&) = delete;
  LivenessScan& operator=(const LivenessScan&) = delete;

  void begin();  // there is a connection

  const KeepalivePolicy keepalive;
  std::list<Connection> connections;

 private:
  void check_some();
  void go_on_at(Clock::time_point due);

  asio::steady_timer timer_;
  bool goes_on_ = false;
};

}  // namespace ambbpf
