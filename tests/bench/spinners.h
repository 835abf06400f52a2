// SPDX-License-Identifier: Apache-2.0
// How much CPU everything else takes, told by what it leaves over. One thread on each CPU, of the
// scheduler's lowest class (SCHED_IDLE), counts what it gets done. What is missing against an idle
// machine was spent by others: processes, the kernel's threads and its softirqs alike. The kernel's
// own figures are sampled by a timer tick and miss most of what wakes and sleeps quickly.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <thread>

#include "tests/bench/sockets.h"

namespace ambbpf::bench {

class Spinners {
 public:
  Spinners();
  ~Spinners();

  // The rounds of all CPUs per second since the last call, or since the start.
  double rate();

 private:
  struct alignas(64) Spinner {
    std::atomic<std::uint64_t> rounds{0};
    std::thread thread;
  };
  void spin(Spinner& spinner, unsigned cpu);

  std::atomic<bool> stop_{false};
  std::deque<Spinner> spinners_;
  Clock::time_point since_;
  std::uint64_t counted_ = 0;
};

}  // namespace ambbpf::bench
