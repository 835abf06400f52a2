// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "userspace/support/asio.h"

namespace ambbpf {

// A few hot connections are served faster by the kernel, unless its worker has to wait for its turn
// on a processor, which hangs on whatever else runs there (PERFORMANCE.md). So user space is tried
// now and then, for a moment, and taken where it moves clearly more; and then the kernel, likewise.
//
// Told how much is moved, says who is to move it. Pure, but for what it remembers.
class PathTrial {
 public:
  enum class Path { kKernel, kUser };

  // How a trial goes, in samples, which come some 20 ms apart.
  static constexpr std::size_t kSkipped = 1;  // after a change of paths
  static constexpr std::size_t kSamples = 4;  // of each path, and again of the one before
  // User space is taken that moves so many times as much as the kernel, and the reverse.
  static constexpr double kUserIsTaken = 1.25;
  static constexpr double kKernelIsTaken = 0.95;
  static constexpr std::chrono::milliseconds kWarmUp{300};           // hot, until the first trial
  static constexpr std::chrono::milliseconds kFirstPause{1'000};     // until the next trial, …
  static constexpr std::chrono::milliseconds kLongestPause{30'000};  // … doubled after each in vain
  static constexpr std::chrono::milliseconds kForget{1'000};         // not hot for so long: anew

  // `bytes_per_second`: that the present path has moved since the sample before. `hot`: so much is
  // to be moved that its speed is what counts. Returns the path from now on.
  Path sample(Clock::time_point now, double bytes_per_second, bool hot);

  Path preferred() const { return path_; }    // not that which is only tried
  double advantage() const { return gain_; }  // of it over the other, when it was taken: 1.4 times

 private:
  Path path() const { return is_trying() ? other_than(path_) : path_; }

  enum class Phase { kBefore, kTrying, kAfter };

  struct Mean {
    void add(double value) { sum += value, ++count; }
    double value() const { return sum / static_cast<double>(count); }
    double sum = 0;
    std::size_t count = 0;
  };

  static Path other_than(Path path) { return path == Path::kKernel ? Path::kUser : Path::kKernel; }
  bool is_trying() const { return phase_ == Phase::kTrying; }
  void cool_down(Clock::time_point now);
  void enter(Phase phase);
  void decide(Clock::time_point now);

  Path path_ = Path::kKernel;
  Phase phase_ = Phase::kBefore;
  std::size_t to_skip_ = kSkipped;
  Mean present_;  // of the phase
  double before_ = 0;
  double other_ = 0;
  double gain_ = 1;
  Clock::duration pause_ = kFirstPause;
  Clock::time_point next_trial_{};  // at the earliest
  Clock::time_point hot_at_{};      // the last time
};

}  // namespace ambbpf
