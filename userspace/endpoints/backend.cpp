// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/backend.h"

#include <algorithm>

namespace ambbpf {

using namespace std::chrono_literals;

bool Backend::report(BackendOutcome outcome, Clock::time_point now, std::string_view why) {
  constexpr auto kFirstEjection = 1s;
  constexpr auto kLongestEjection = 30s;
  if (outcome == BackendOutcome::kConnected) {
    ejected_until_.store(0, std::memory_order_relaxed);
    const bool news = failures_in_a_row_.exchange(0, std::memory_order_relaxed) != 0;
    if (!news) return false;
    const std::scoped_lock lock(mutex_);
    failing_.reset();
    return true;
  }
  failed_connects.fetch_add(1, std::memory_order_relaxed);
  const auto earlier = failures_in_a_row_.fetch_add(1, std::memory_order_relaxed);
  const Clock::duration length =
      std::min<Clock::duration>(kLongestEjection, kFirstEjection * (1U << std::min(5U, earlier)));
  ejected_until_.store((now + length).time_since_epoch().count(), std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  if (!failing_) failing_ = Failing{.since = now, .failures = 0, .why = {}};
  ++failing_->failures;
  failing_->why = why;
  return earlier == 0;
}

std::optional<Failing> Backend::failing() const {
  const std::scoped_lock lock(mutex_);
  return failing_;
}

Clock::time_point Backend::ejected_until() const {
  return Clock::time_point(Clock::duration(ejected_until_.load(std::memory_order_relaxed)));
}

}  // namespace ambbpf
