// SPDX-License-Identifier: Apache-2.0
// How much CPU everything takes, told by what it leaves over. A process of its own runs one thread
// on each CPU, of the scheduler's lowest class (SCHED_IDLE), which counts what it gets done. What
// is missing against an idle machine was spent by others: processes, the kernel's threads and its
// softirqs alike. The kernel's own figures are sampled by a timer tick and miss most of what wakes
// and sleeps quickly.
#pragma once

#include <cstdint>
#include <string>

#include "tests/bench/sockets.h"

namespace ambbpf::bench {

// Counts in `file`, which it makes, until the process is killed. Prints a line when the file is
// there.
void spin(const std::string& file);

// Reads what spinners count.
class SpinRate {
 public:
  explicit SpinRate(const std::string& file);

  // The spins of all CPUs per second since the last call, or since the start.
  double since_last();

 private:
  std::uint64_t total() const;

  const volatile std::uint64_t* counters_;  // mapped as long as the process lives
  std::size_t size_;
  Clock::time_point last_;
  std::uint64_t counted_ = 0;
};

}  // namespace ambbpf::bench
