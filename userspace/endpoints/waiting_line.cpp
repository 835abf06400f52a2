// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/waiting_line.h"

#include <utility>

namespace ambbpf {

WaitingLine::Place::Place(WaitingLine& line) : line_(line) {
  ++line_.length_;
  const std::scoped_lock lock(line_.mutex_);
  const bool is_first = line_.waiters_.empty();
  line_.waiters_.push_back({.called = is_first});
  waiter_ = std::prev(line_.waiters_.end());
}

WaitingLine::Place::~Place() {
  const std::scoped_lock lock(line_.mutex_);
  const bool was_first = waiter_ == line_.waiters_.begin();
  line_.waiters_.erase(waiter_);
  --line_.length_;
  if (was_first) line_.call_first_locked();
}

awaitable<bool> WaitingLine::Place::turn(Clock::time_point deadline) {
  auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor, deadline);
  {
    const std::scoped_lock lock(line_.mutex_);
    if (std::exchange(waiter_->called, false)) co_return true;
    waiter_->timer = timer;
  }
  co_await timer->async_wait(as_tuple);
  const std::scoped_lock lock(line_.mutex_);
  waiter_->called = false;
  co_return waiter_ == line_.waiters_.begin();
}

void WaitingLine::call_first() {
  if (is_empty()) return;
  const std::scoped_lock lock(mutex_);
  call_first_locked();
}

// A timer is its own thread's: it is cancelled there, after the wait has begun.
void WaitingLine::call_first_locked() {
  if (waiters_.empty() || std::exchange(waiters_.front().called, true)) return;
  if (auto timer = waiters_.front().timer)
    asio::post(timer->get_executor(), [timer] { timer->cancel(); });
}

}  // namespace ambbpf
