// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "userspace/support/asio.h"

namespace ambbpf {

struct Plane;

// How many connections a turn looks at, and when the next turn is, so that of so many each has been
// looked at when `round` is over, and no turn holds up the others.
struct RollCallTurn {
  std::size_t calls;
  Clock::duration pause;
};
RollCallTurn roll_call_turn(std::size_t connections, Clock::duration round);

// Looks after the peers of all connections of a thread, each once in Patience::look_every(), and
// resets the connections of those that have vanished; without connections it rests.
class RollCall {
 public:
  explicit RollCall(Plane& plane);
  void begin();  // there is a connection

 private:
  void call_some();
  void go_on_at(Clock::time_point due);

  Plane& plane_;
  asio::steady_timer timer_;
  bool goes_on_ = false;
};

}  // namespace ambbpf
