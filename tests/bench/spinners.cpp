// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/spinners.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

namespace ambbpf::bench {
namespace {

constexpr std::size_t kStride =
    128 / sizeof(std::uint64_t);  // each counter has its own cache lines

std::uint64_t* map_counters(int file, std::size_t size, int protection) {
  void* memory = ::mmap(nullptr, size, protection, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::system_category(), "mmap");
  return static_cast<std::uint64_t*>(memory);
}

void spin_on(unsigned cpu, volatile std::uint64_t& counter) {
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
  for (;;) {
    for (int i = 0; i < 1000; ++i) {
      x = x * 6364136223846793005ULL + 1442695040888963407ULL;
      asm volatile("" : "+r"(x));  // one after the other, and really done
    }
    counter = counter + 1;
  }
}

}  // namespace

void spin(const std::string& file) {
  const unsigned cpus = std::thread::hardware_concurrency();
  const std::size_t size = cpus * kStride * sizeof(std::uint64_t);
  const UniqueFd opened(::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!opened || ::ftruncate(opened.get(), static_cast<off_t>(size)) != 0) {
    throw std::system_error(errno, std::system_category(), file);
  }
  std::uint64_t* counters = map_counters(opened.get(), size, PROT_READ | PROT_WRITE);
  std::puts("{}");
  std::fflush(stdout);
  std::vector<std::thread> threads;
  for (unsigned cpu = 0; cpu < cpus; ++cpu) {
    threads.emplace_back(spin_on, cpu, std::ref(counters[cpu * kStride]));
  }
  for (std::thread& thread : threads) thread.join();
}

SpinRate::SpinRate(const std::string& file) {
  const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!opened || ::fstat(opened.get(), &status) != 0) {
    throw std::system_error(errno, std::system_category(), file);
  }
  if (status.st_size == 0) throw std::runtime_error(file + " has no counters yet");
  size_ = static_cast<std::size_t>(status.st_size);
  counters_ = map_counters(opened.get(), size_, PROT_READ);
  since_last();
}

std::uint64_t SpinRate::total() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < size_ / sizeof(std::uint64_t); i += kStride) sum += counters_[i];
  return sum;
}

double SpinRate::since_last() {
  const auto now = Clock::now();
  const std::uint64_t all = total();
  const double rate = static_cast<double>(all - counted_) / Seconds(now - last_).count();
  last_ = now;
  counted_ = all;
  return rate;
}

}  // namespace ambbpf::bench
