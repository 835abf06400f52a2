// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/time_limit_scan.h"

#include <algorithm>

#include "userspace/dataplane/connection.h"

namespace ambbpf {

namespace {

constexpr std::size_t kMostLooks = 256;  // some 10 µs; 0.3 ms where all have just become idle
constexpr std::size_t kMostEnds = 16;    // some 0.3 ms

}  // namespace

TimeLimitScan::TimeLimitScan(asio::io_context& io, const TimeLimits& its_limits)
    : limits(its_limits), timer_(io) {}

std::list<TimeWatch>::iterator TimeLimitScan::add(Connection& connection) {
  watches_.push_back({.connection = &connection});
  if (!std::exchange(goes_on_, true)) go_on_at(Clock::now() + limits.look_every());
  return std::prev(watches_.end());
}

// What has been looked at goes to the end of the list. Where many end at once the others have
// their turns in between.
void TimeLimitScan::look_at_some() {
  const auto begun = Clock::now();
  goes_on_ = !watches_.empty();
  if (!goes_on_) return;
  const auto turn = liveness_scan_step(watches_.size(), limits.look_every(), kMostLooks);
  std::size_t ended = 0;
  for (auto looks = turn.checks; looks > 0 && ended < kMostEnds && !watches_.empty(); --looks) {
    watches_.splice(watches_.end(), watches_, watches_.begin());
    auto& watch = watches_.back();
    if (watch.connection->reset_if_it_takes_too_long(watch, begun)) ++ended;
  }
  go_on_at(ended < kMostEnds ? begun + turn.pause : begun);
}

void TimeLimitScan::go_on_at(Clock::time_point due) {
  timer_.expires_at(due);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) look_at_some();
  });
}

bool Connection::reset_if_it_takes_too_long(TimeWatch& watch, Clock::time_point now) {
  const auto end = [this](EndReason reason) {
    reset(reason, {});
    return true;
  };
  const auto is_over = [](std::chrono::milliseconds limit, Clock::duration taken) {
    return limit.count() > 0 && taken >= limit;
  };
  const auto& limits = time_scan_->limits;
  const auto& from_client = directions_[kClient];
  const auto age = now - adopted_at_;
  if (is_over(limits.lifetime, age)) return end(EndReason::kLifetime);
  if (is_over(limits.first_byte, age) && from_client.state != Direction::State::kEnded &&
      from_client.pump.read() + redirected(from_client) == 0)
    return end(EndReason::kNoFirstByte);
  if (limits.idle.count() == 0 && limits.half_closed.count() == 0) return false;
  if (has_moved(watch)) {
    watch.moved_at = now;
    return false;
  }
  const auto silence = now - watch.moved_at;
  const bool is_half_closed =
      std::ranges::count(directions_, Direction::State::kEnded, &Direction::state) > 0;
  if (is_half_closed && is_over(limits.half_closed, silence)) return end(EndReason::kHalfClosed);
  return is_over(limits.idle, silence) && end(EndReason::kIdle);
}

// Since the last look.
bool Connection::has_moved(TimeWatch& watch) const {
  using Queues = TimeWatch::Queues;
  std::uint64_t moved = 0;
  for (const auto& direction : directions_)
    moved += direction.pump.read() + direction.pump.written() + redirected(direction) +
             (direction.state == Direction::State::kEnded ? 1U : 0U);
  if (std::exchange(watch.moved, moved) != moved) {
    watch.queues = Queues::kUnknown;
    return true;
  }
  if (watch.queues == Queues::kEmpty) return false;
  const bool is_known = watch.queues == Queues::kWaiting;
  std::uint64_t delivered = 0;
  watch.queues = Queues::kEmpty;
  for (const auto& leg : legs_) {
    const auto counts = counts_of(leg);
    if (!counts) continue;
    delivered += counts->received + counts->acknowledged;
    if (!counts->queue_empty) watch.queues = Queues::kWaiting;
  }
  return std::exchange(watch.delivered, delivered) != delivered && is_known;
}

}  // namespace ambbpf
