// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/time_stamp.h"

#include <fmt/chrono.h>

namespace ambbpf {

std::string time_stamp(std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  const auto second = floor<seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(system_clock::to_time_t(second)),
                     duration_cast<microseconds>(time - second).count());
}

}  // namespace ambbpf
