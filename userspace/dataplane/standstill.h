// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "userspace/support/asio.h"

namespace ambbpf {

// Since when a count has stood still that must not do so for ever. Any change of it is progress,
// and the time begins anew.
class Standstill {
 public:
  // For how long it has been so many, as far as anybody has looked.
  Clock::duration of(std::int64_t count, Clock::time_point now) {
    if (!seen_ || seen_->count != count) seen_ = {count, now};
    return now - seen_->since;
  }
  void forget() { seen_.reset(); }

 private:
  struct Seen {
    std::int64_t count;
    Clock::time_point since;
  };
  std::optional<Seen> seen_;
};

}  // namespace ambbpf
