// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/backend.h"

#include "userspace/support/plain_text.h"

namespace ambbpf {

std::string failures_of(const Failing& failing) {
  auto connects = counted(failing.failures, "failed connect");
  const auto resets = counted(failing.early_resets, "early reset");
  if (failing.early_resets == 0) return connects;
  return failing.failures == 0 ? resets : connects + " and " + resets;
}

Health::Change Backend::report(BackendOutcome outcome, Clock::time_point now, std::string_view why,
                               unsigned eject_resets) {
  const bool connect_failed = outcome == BackendOutcome::kConnectFailed;
  const bool reset = outcome == BackendOutcome::kEarlyReset;
  if (connect_failed) failed_connects.fetch_add(1, std::memory_order_relaxed);
  if (reset) early_resets.fetch_add(1, std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  const auto change = health_.note(outcome, now, eject_resets);
  is_suspect_.store(health_.is_suspect(), std::memory_order_relaxed);
  if (!health_.is_suspect()) {
    failing_.reset();
  } else if (connect_failed || reset) {
    if (!failing_) failing_ = Failing{.since = now};
    ++(reset ? failing_->early_resets : failing_->failures);
    failing_->why = why;
  }
  return change;
}

Health::State Backend::health(Clock::time_point now) const {
  if (!is_suspect()) return Health::State::kInUse;
  const std::scoped_lock lock(mutex_);
  return health_.at(now);
}

Clock::time_point Backend::health_until(Clock::time_point now) const {
  if (!is_suspect()) return Clock::time_point::max();
  const std::scoped_lock lock(mutex_);
  return health_.until(now);
}

bool Backend::begin_trial(Clock::time_point now) {
  const std::scoped_lock lock(mutex_);
  return health_.begin_trial(now);
}

bool Backend::accepts_connects() const {
  const std::scoped_lock lock(mutex_);
  return health_.connects();
}

bool Backend::take_place(std::uint64_t most) {
  auto taken = places_taken_.load();
  do {
    if (taken >= most) return false;
  } while (!places_taken_.compare_exchange_weak(taken, taken + 1));
  return true;
}

std::optional<Failing> Backend::failing() const {
  const std::scoped_lock lock(mutex_);
  return failing_;
}

void Backend::keep_check(std::optional<Checked> checked) {
  const std::scoped_lock lock(mutex_);
  is_down_.store(checked && checked->is_down, std::memory_order_relaxed);
  checked_ = std::move(checked);
}

std::optional<Checked> Backend::checked() const {
  const std::scoped_lock lock(mutex_);
  return checked_;
}

Clock::time_point Backend::ejected_until() const {
  const std::scoped_lock lock(mutex_);
  return health_.ejected_until();
}

}  // namespace ambbpf
