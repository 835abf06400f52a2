// SPDX-License-Identifier: Apache-2.0
#include "userspace/health/schedule.h"

namespace ambbpf {
namespace {

std::chrono::milliseconds part_of_interval(std::chrono::milliseconds interval, double part) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::duration<double, std::milli>(interval) * part);
}

}  // namespace

std::chrono::milliseconds first_check_after(std::size_t index, std::size_t count,
                                            std::chrono::milliseconds interval, double random) {
  const double part = (static_cast<double>(index) + random) / static_cast<double>(count);
  return part_of_interval(interval, part);
}

std::chrono::milliseconds next_check_after(std::chrono::milliseconds interval, double random) {
  constexpr double kJitter = 0.1;
  return part_of_interval(interval, 1 - kJitter + 2 * kJitter * random);
}

}  // namespace ambbpf
