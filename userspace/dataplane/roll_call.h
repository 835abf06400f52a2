// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/support/asio.h"

namespace ambbpf {

struct Plane;

// Looks after the peers of all connections of a thread, each once in Patience::look_every(), and
// resets the connections of those that have vanished. A few are looked at in each turn, so that
// many do not hold up the others; without connections it rests.
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
