// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "userspace/support/asio.h"

namespace ambbpf {

struct RelayThread;

// How many connections a turn looks at, and when the next turn is, so that of so many each has been
// looked at when `round` is over, and no turn holds up the others.
struct LivenessScanStep {
  std::size_t checks;
  Clock::duration pause;
};
LivenessScanStep liveness_scan_step(std::size_t connections, Clock::duration round);

// Looks after the peers of all connections of a thread, each once in KeepalivePolicy::look_every(),
// and resets the connections of those that have vanished; it stops while there are no connections.
class LivenessScan {
 public:
  explicit LivenessScan(RelayThread& thread);
  void begin();  // there is a connection

 private:
  void check_some();
  void go_on_at(Clock::time_point due);

  RelayThread& thread_;
  asio::steady_timer timer_;
  bool goes_on_ = false;
};

}  // namespace ambbpf
