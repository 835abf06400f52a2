// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>

#include "userspace/dataplane/time_limits.h"
#include "userspace/support/asio.h"

namespace ambbpf {

class Connection;

// What a look at a connection remembers for the next one.
struct TimeWatch {
  Connection* connection;
  std::uint64_t moved = 0;  // bytes, and ended directions
  Clock::time_point moved_at = Clock::now();
  // What the kernel still has to deliver to a peer that reads slowly moves without us. It is asked
  // for once nothing else moves, and again as long as something waits.
  enum class Queues { kUnknown, kWaiting, kEmpty } queues = Queues::kUnknown;
  std::uint64_t delivered = 0;  // by the kernel, when it was last asked
};

// Those connections of a thread that have the same limits. It looks at each once in
// TimeLimits::look_every(), and resets those whose time is over; it stops while there are none. A
// look reads what the relay counts anyway, in memory that is shared with the kernel program, so it
// is the same on every engine; it takes two system calls where a connection has just become idle.
class TimeLimitScan {
 public:
  TimeLimitScan(asio::io_context& io, const TimeLimits& its_limits);
  TimeLimitScan(const TimeLimitScan&) = delete;
  TimeLimitScan& operator=(const TimeLimitScan&) = delete;

  std::list<TimeWatch>::iterator add(Connection& connection);
  void remove(std::list<TimeWatch>::iterator watch) { watches_.erase(watch); }

  const TimeLimits limits;

 private:
  void look_at_some();
  void go_on_at(Clock::time_point due);

  std::list<TimeWatch> watches_;
  asio::steady_timer timer_;
  bool goes_on_ = false;
};

}  // namespace ambbpf
