// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <limits>
#include <utility>

namespace ambbpf {

// A limit for the numbers of descriptors. The kernel gives out the lowest free one: whoever keeps
// to numbers below a limit leaves all from there on to others.
inline constexpr int kNoDescriptorLimit = std::numeric_limits<int>::max();

// The only owner of a file descriptor; -1 is none.
class UniqueFd {
 public:
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

}  // namespace ambbpf
