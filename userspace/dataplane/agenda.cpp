// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/agenda.h"

#include "userspace/dataplane/connection.h"

namespace ambbpf {

void Agenda::note(Direction& direction, Clock::time_point due) {
  if (direction.due) {
    if (*direction.due <= due) return;
    strike(direction);
  }
  direction.due = due;
  dates_.emplace(due, &direction);
  if (due < timer_set_for_) wait();
}

void Agenda::strike(Direction& direction) {
  if (!direction.due) return;
  dates_.erase({*direction.due, &direction});
  direction.due.reset();
}

// The timer may fire for a date that has been struck meanwhile: that is cheaper than setting it
// anew with every connection that ends.
void Agenda::wait() {
  timer_set_for_ = dates_.begin()->first;
  timer_.expires_at(timer_set_for_);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;  // set anew, or the relay is gone
    look_at_what_is_due();
  });
}

void Agenda::look_at_what_is_due() {
  timer_set_for_ = Clock::time_point::max();
  const auto now = Clock::now();
  while (!dates_.empty() && dates_.begin()->first <= now) {
    Direction& direction = *dates_.begin()->second;
    strike(direction);
    look_at_(direction);
  }
  if (!dates_.empty()) wait();
}

}  // namespace ambbpf
