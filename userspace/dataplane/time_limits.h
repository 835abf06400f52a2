// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>

#include "userspace/support/asio.h"

namespace ambbpf {

// How long a connection may take, whatever its peers do. 0: as long as they like.
struct TimeLimits {
  std::chrono::milliseconds idle{0};         // no byte either way
  std::chrono::milliseconds half_closed{0};  // one direction has ended, the other moves nothing
  std::chrono::milliseconds lifetime{0};     // from when both its sides were connected
  std::chrono::milliseconds first_byte{0};   // from then until the client's first byte

  bool any() const { return *this != TimeLimits(); }
  bool operator==(const TimeLimits&) const = default;

  // A look tells only that bytes have moved since the one before it, so a connection goes on for up
  // to twice as long as this after its time is over: a tenth of the shortest limit, 10 s at most.
  Clock::duration look_every() const {
    using std::chrono::milliseconds;
    constexpr milliseconds kLeast{5};
    constexpr milliseconds kMost{5000};
    auto shortest = milliseconds::max();
    for (const auto limit : {idle, half_closed, lifetime, first_byte})
      if (limit.count() > 0) shortest = std::min(shortest, limit);
    return std::clamp(shortest / 20, kLeast, kMost);
  }
};

}  // namespace ambbpf
