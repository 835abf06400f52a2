// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "userspace/controller/descriptor_budget.h"
#include "userspace/controller/report.h"

namespace ambbpf {
namespace {

std::uint64_t microseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(time.tv_usec);
}

std::uint64_t resident_bytes() {
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;  // proc(5), in pages
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// From Linux 6.2 on the size of that directory is how many there are. Listing it would take long
// where there are many; before, the lowest free number stands for it.
std::uint64_t open_descriptors() {
  struct stat directory {};
  if (::stat("/proc/self/fd", &directory) == 0 && directory.st_size > 0)
    return static_cast<std::uint64_t>(directory.st_size);
  return static_cast<std::uint64_t>(descriptors_in_use());
}

}  // namespace

StatusReport::Process report_process(std::chrono::system_clock::time_point started) {
  const auto since_epoch =
      std::chrono::duration_cast<std::chrono::milliseconds>(started.time_since_epoch());
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  return {.started_unix_ms = static_cast<std::uint64_t>(since_epoch.count()),
          .cpu_us = microseconds(used.ru_utime) + microseconds(used.ru_stime),
          .resident_bytes = resident_bytes(),
          .descriptors = open_descriptors(),
          .most_descriptors = descriptors.rlim_cur};
}

}  // namespace ambbpf
