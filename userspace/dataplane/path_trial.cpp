// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/path_trial.h"

#include <algorithm>

namespace ambbpf {

PathTrial::Path PathTrial::sample(Clock::time_point now, double bytes_per_second, bool hot) {
  if (!hot) {
    cool_down(now);
    return path();
  }
  if (now - hot_at_ >= kForget) next_trial_ = now + kWarmUp;
  hot_at_ = now;
  if (to_skip_ > 0) {
    --to_skip_;
    return path();
  }
  present_.add(bytes_per_second);
  if (present_.count < kSamples) return path();
  switch (phase_) {
    case Phase::kBefore:
      before_ = present_.value();
      if (now >= next_trial_)
        enter(Phase::kTrying);
      else
        present_ = {};
      break;
    case Phase::kTrying:
      other_ = present_.value();
      enter(Phase::kAfter);
      break;
    case Phase::kAfter:
      decide(now);
      break;
  }
  return path();
}

// What was measured says nothing of the load that comes next.
void PathTrial::cool_down(Clock::time_point now) {
  if (phase_ != Phase::kBefore || present_.count > 0) enter(Phase::kBefore);
  if (now - hot_at_ < kForget) return;
  path_ = Path::kKernel;
  pause_ = kFirstPause;
}

void PathTrial::enter(Phase phase) {
  phase_ = phase;
  to_skip_ = kSkipped;
  present_ = {};
}

// The better of both measurements of the present path counts, so that a load which grows meanwhile
// does not speak for the other one.
void PathTrial::decide(Clock::time_point now) {
  const auto own = std::max(before_, present_.value());
  const bool takes_other = other_ >= own * (path_ == Path::kKernel ? kUserIsTaken : kKernelIsTaken);
  if (takes_other) {
    path_ = other_than(path_);
    gain_ = own > 0 ? other_ / own : 1;
  }
  pause_ = takes_other ? kFirstPause : std::min<Clock::duration>(pause_ * 2, kLongestPause);
  next_trial_ = now + pause_;
  enter(Phase::kBefore);
}

}  // namespace ambbpf
