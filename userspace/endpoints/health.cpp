// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/health.h"

#include <algorithm>
#include <utility>

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr Clock::duration kShortestPause = 1s;
constexpr Clock::duration kLongestPause = 30s;
constexpr auto kLongestTrial = 5s;

}  // namespace

Health::State Health::at(Clock::time_point now) const {
  if (!is_out_) return State::kInUse;
  if (now < ejected_until_) return State::kEjected;
  if (trial_until_ == Clock::time_point()) return State::kDue;
  if (now < trial_until_) return State::kOnTrial;
  return by_resets_ ? State::kInUse : State::kDue;
}

Clock::time_point Health::until(Clock::time_point now) const {
  switch (at(now)) {
    case State::kEjected:
      return ejected_until_;
    case State::kOnTrial:
      return trial_until_;
    case State::kInUse:
    case State::kDue:
      break;
  }
  return Clock::time_point::max();
}

Health::Change Health::note(BackendOutcome outcome, Clock::time_point now, unsigned eject_resets) {
  switch (outcome) {
    case BackendOutcome::kConnected:
      return is_out_ && !by_resets_ ? prove(now) : Change::kNone;
    case BackendOutcome::kConnectFailed:
      return eject(now);
    case BackendOutcome::kAnswered:
      resets_in_a_row_ = 0;
      return by_resets_ ? prove(now) : Change::kNone;
    case BackendOutcome::kEarlyReset:
      break;
  }
  if (eject_resets == 0) return Change::kNone;
  ++resets_in_a_row_;
  if (!by_resets_ && resets_in_a_row_ < eject_resets) return Change::kNone;
  by_resets_ = true;
  return eject(now);
}

bool Health::begin_trial(Clock::time_point now) {
  if (at(now) != State::kDue) return false;
  trial_until_ = now + kLongestTrial;
  return true;
}

Health::Change Health::eject(Clock::time_point now) {
  if (at(now) == State::kEjected) return Change::kNone;
  const bool was_out = std::exchange(is_out_, true);
  if (!was_out && now >= proven_at_ + pause_) pause_ = {};
  pause_ = std::clamp(pause_ * 2, kShortestPause, kLongestPause);
  ejected_until_ = now + pause_;
  trial_until_ = {};
  return was_out ? Change::kEjectedAgain : Change::kEjected;
}

Health::Change Health::prove(Clock::time_point now) {
  is_out_ = by_resets_ = false;
  resets_in_a_row_ = 0;
  ejected_until_ = trial_until_ = {};
  proven_at_ = now;
  return Change::kProven;
}

}  // namespace ambbpf
