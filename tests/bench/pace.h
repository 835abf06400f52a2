// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "tests/bench/sockets.h"

namespace ambbpf::bench {

// How much may be done by now, at a fixed rate per second; without one, as much as there is.
class Pace {
 public:
  explicit Pace(std::optional<double> rate) : rate_(rate) {}

  // What is missed is not made up for beyond a tenth of a second.
  std::uint64_t due() {
    if (!rate_) return ~0ULL;
    const auto now = Clock::now();
    credit_ = std::min(credit_ + *rate_ * Seconds(now - last_).count(), *rate_ / 10);
    last_ = now;
    return static_cast<std::uint64_t>(credit_);
  }
  void done(std::uint64_t amount) {
    if (rate_) credit_ -= static_cast<double>(amount);
  }
  bool fixed() const { return rate_.has_value(); }

 private:
  std::optional<double> rate_;
  Clock::time_point last_ = Clock::now();
  double credit_ = 0;
};

inline constexpr std::chrono::milliseconds kTick{1};  // of a client at a fixed rate

}  // namespace ambbpf::bench
