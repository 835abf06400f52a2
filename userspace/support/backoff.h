// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace ambbpf {

// Capped exponential back-off with full jitter over the upper half: delays lie between half of the
// current step and the whole of it, so that many processes do not come back at the same instant.
class Backoff {
 public:
  using Delay = std::chrono::milliseconds;

  Backoff(Delay first, Delay cap) : first_(first), cap_(cap), step_(first) {}

  // The delay before the next attempt; the one after it will be up to twice as long.
  Delay next() {
    const Delay step = step_;
    step_ = std::min(cap_, step_ * 2);
    std::uniform_int_distribution<Delay::rep> spread(step.count() / 2, step.count());
    return Delay(spread(random_));
  }

  void reset() { step_ = first_; }

 private:
  Delay first_;
  Delay cap_;
  Delay step_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace ambbpf
