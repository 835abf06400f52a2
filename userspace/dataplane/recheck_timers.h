// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <set>
#include <utility>

#include "userspace/support/asio.h"

namespace ambbpf {

struct Direction;

// Which directions are to be looked at again, and when. One timer serves them all.
class RecheckTimers {
 public:
  RecheckTimers(asio::io_context& io, std::function<void(Direction&)> look_at)
      : timer_(io), look_at_(std::move(look_at)) {}

  // A direction has one date at most; the earlier one stands.
  void schedule(Direction& direction, Clock::time_point due);
  void cancel(Direction& direction);

 private:
  void wait();
  void recheck_what_is_due();

  asio::steady_timer timer_;
  Clock::time_point timer_set_for_ = Clock::time_point::max();
  std::function<void(Direction&)> look_at_;
  std::set<std::pair<Clock::time_point, Direction*>> due_;
};

}  // namespace ambbpf
