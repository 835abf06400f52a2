// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/support/asio.h"

namespace ambbpf {

class Connection;
struct RelayThread;

// Looks whether so many connections are busy at once, in all threads, that user space serves them
// better, as one wake-up of its own serves many (PERFORMANCE.md). None enters the map then, and the
// gates of those inside are kept shut, until few have been busy for a while.
class DemotionWatch {
 public:
  explicit DemotionWatch(RelayThread& thread);
  ~DemotionWatch();
  DemotionWatch(const DemotionWatch&) = delete;
  DemotionWatch& operator=(const DemotionWatch&) = delete;

  void begin();  // there is one connection more, or one more in the map
  bool keeps_gates_shut() const { return shut_; }

  // User space has moved bytes of a connection, whose `last_window` this keeps.
  void count_turn(std::uint64_t& last_window) {
    ++turns_;
    if (std::exchange(last_window, window_) != window_) ++busy_;
  }
  bool has_counted(std::uint64_t last_window) const { return last_window == window_; }

 private:
  void tell_others(std::size_t busy);
  std::size_t busy_for_each_thread() const;
  void go_on(bool moved);
  void look();
  std::vector<Connection*> busy_in_kernel() const;
  void hand_over_all();
  void record_turn(std::string_view kind) const;

  RelayThread& thread_;
  asio::steady_timer timer_;
  bool goes_on_ = false;
  bool shut_ = false;
  Clock::time_point crowded_until_{};

  // Since the last look. A connection counts once, however many turns it takes.
  Clock::time_point looked_at_{};
  std::uint64_t window_ = 1;
  std::uint64_t turns_ = 0;  // in user space
  std::size_t busy_ = 0;     // connections, …
  std::size_t told_ = 0;     // … and how many the other threads were told of
  std::uint64_t segments_seen_ = 0;
};

}  // namespace ambbpf
