// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>

#include "userspace/support/asio.h"

namespace ambbpf {

// Connections of all threads that wait for something which becomes free now and then, in the order
// in which they came. Only the first one tries to have it, when it has become free; whoever leaves
// calls the next one. Any thread may call it.
class WaitingLine {
  struct Waiter {
    std::shared_ptr<asio::steady_timer> timer{};  // null: it has yet to wait
    bool called = false;
  };

 public:
  // A place in line for as long as it lives, on one thread.
  class Place {
   public:
    explicit Place(WaitingLine& line);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    // True: it is the first, and is to try. At once where it has been called since the last turn,
    // else when it is, at the latest at `deadline`.
    awaitable<bool> turn(Clock::time_point deadline);

   private:
    WaitingLine& line_;
    std::list<Waiter>::iterator waiter_;
  };

  // Whoever looks at this after having freed something misses nobody: who waits is counted before
  // it tries for the first time.
  bool is_empty() const { return length_ == 0; }
  std::size_t length() const { return length_; }
  void call_first();  // something may be free

 private:
  void call_first_locked();

  std::atomic<std::size_t> length_{0};
  std::mutex mutex_;
  std::list<Waiter> waiters_;
};

}  // namespace ambbpf
