// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/recheck_timers.h"

#include "userspace/dataplane/connection.h"

namespace ambbpf {

void RecheckTimers::schedule(Direction& direction, Clock::time_point due) {
  if (direction.due <= due) return;
  cancel(direction);
  direction.due = due;
  due_.emplace(due, &direction);
  if (due < timer_set_for_) wait();
}

void RecheckTimers::cancel(Direction& direction) {
  if (direction.due == Direction::kNotDue) return;
  due_.erase({direction.due, &direction});
  direction.due = Direction::kNotDue;
}

// The timer may fire for a date that has been cancelled meanwhile: that is cheaper than setting it
// anew with every connection that ends.
void RecheckTimers::wait() {
  timer_set_for_ = due_.begin()->first;
  timer_.expires_at(timer_set_for_);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;  // set anew, or the relay is gone
    recheck_what_is_due();
  });
}

void RecheckTimers::recheck_what_is_due() {
  timer_set_for_ = Clock::time_point::max();
  const auto now = Clock::now();
  while (!due_.empty() && due_.begin()->first <= now) {
    Direction& direction = *due_.begin()->second;
    cancel(direction);
    look_at_(direction);
  }
  if (!due_.empty()) wait();
}

}  // namespace ambbpf
