// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "userspace/support/asio.h"

namespace ambbpf {

// Since when a count has stood still that must not do so for ever. Any change of it is progress,
// and the time begins anew.
class Standstill {
 public:
  // For how long it has been so many, as far as anybody has looked.
  Clock::duration of(std::int64_t count, Clock::time_point now) {
    if (since_ == kNever || count_ != count) {
      count_ = count;
      since_ = now;
    }
    return now - since_;
  }
  void forget() { since_ = kNever; }

 private:
  static constexpr auto kNever = Clock::time_point::min();

  std::int64_t count_ = 0;
  Clock::time_point since_ = kNever;
};

}  // namespace ambbpf
