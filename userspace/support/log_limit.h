// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace ambbpf {

// For lines that a flood of connections could repeat without end: one in each second.
class LogLimit {
 public:
  // Empty: say nothing now. Otherwise how many were left unsaid since the last line.
  std::optional<std::uint64_t> pass(std::chrono::steady_clock::time_point now) {
    if (now < next_) {
      ++unsaid_;
      return std::nullopt;
    }
    next_ = now + std::chrono::seconds(1);
    return std::exchange(unsaid_, 0);
  }

 private:
  std::chrono::steady_clock::time_point next_{};
  std::uint64_t unsaid_ = 0;
};

}  // namespace ambbpf
