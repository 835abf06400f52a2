// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace ambbpf {

// For lines that a flood of connections or changes could repeat without end: so many in each
// second. Any thread may ask.
class LogLimit {
 public:
  explicit LogLimit(unsigned lines_a_second = 1) : most_(lines_a_second) {}

  // Empty: say nothing now. Otherwise how many were left unsaid since the last line.
  std::optional<std::uint64_t> pass(std::chrono::steady_clock::time_point now) {
    const std::scoped_lock lock(mutex_);
    if (now >= second_ends_) {
      second_ends_ = now + std::chrono::seconds(1);
      said_ = 0;
    }
    if (said_ == most_) {
      ++unsaid_;
      return std::nullopt;
    }
    ++said_;
    return std::exchange(unsaid_, 0);
  }

 private:
  const unsigned most_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point second_ends_{};
  unsigned said_ = 0;
  std::uint64_t unsaid_ = 0;
};

// The end of a line: " (7 more before it)", or nothing.
inline std::string more_before_it(std::uint64_t unsaid) {
  return unsaid > 0 ? fmt::format(" ({} more before it)", unsaid) : "";
}

}  // namespace ambbpf
