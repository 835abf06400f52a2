// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/spinners.h"

#include <pthread.h>
#include <sched.h>

#include <cstdio>
#include <cstdlib>

namespace ambbpf::bench {

Spinners::Spinners() : since_(Clock::now()) {
  for (unsigned cpu = 0; cpu < std::thread::hardware_concurrency(); ++cpu) {
    Spinner& spinner = spinners_.emplace_back();
    spinner.thread = std::thread([this, &spinner, cpu] { spin(spinner, cpu); });
  }
}

Spinners::~Spinners() {
  stop_ = true;
  for (Spinner& spinner : spinners_) spinner.thread.join();
}

void Spinners::spin(Spinner& spinner, unsigned cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  const sched_param none{};
  if (::pthread_setaffinity_np(::pthread_self(), sizeof only, &only) != 0 ||
      ::pthread_setschedparam(::pthread_self(), SCHED_IDLE, &none) != 0) {
    std::fputs("no spinner of class SCHED_IDLE on each CPU\n", stderr);
    std::abort();
  }
  std::uint64_t x = cpu;
  while (!stop_.load(std::memory_order_relaxed)) {
    for (int i = 0; i < 1000; ++i) {
      x = x * 6364136223846793005ULL + 1442695040888963407ULL;
      asm volatile("" : "+r"(x));  // each round is done one after the other
    }
    spinner.rounds.fetch_add(1, std::memory_order_relaxed);
  }
}

double Spinners::rate() {
  std::uint64_t all = 0;
  for (const Spinner& spinner : spinners_) all += spinner.rounds.load(std::memory_order_relaxed);
  const auto now = Clock::now();
  const double rate = static_cast<double>(all - counted_) / Seconds(now - since_).count();
  since_ = now;
  counted_ = all;
  return rate;
}

}  // namespace ambbpf::bench
