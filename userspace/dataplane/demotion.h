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

// Looks whether user space serves the connections of all threads better: while so many are busy at
// once that one wake-up of its own serves many (PERFORMANCE.md), and while few are and it moves
// more (PathTrial). None enters the map then, and the gates of those inside are kept shut, until
// few have been busy for a while, or the kernel moves more.
class DemotionWatch {
 public:
  explicit DemotionWatch(RelayThread& thread);
  ~DemotionWatch();
  DemotionWatch(const DemotionWatch&) = delete;
  DemotionWatch& operator=(const DemotionWatch&) = delete;

  void begin();  // there is one connection more, or one more in the map
  bool keeps_gates_shut() const { return shut_; }
  std::string_view why_shut() const {
    return was_crowded_ ? "many are busy" : "user space is faster";
  }

  // User space has moved bytes of a connection, whose `last_window` this keeps.
  void count_turn(std::uint64_t& last_window) {
    ++turns_;
    if (std::exchange(last_window, window_) != window_) ++busy_;
  }
  bool has_counted(std::uint64_t last_window) const { return last_window == window_; }

 private:
  // At the last look: of this thread, for the sums of all.
  struct Said {
    std::size_t busy = 0;
    std::uint64_t turns_per_second = 0;
    std::uint64_t bytes_per_second = 0;
  };
  void tell_others(Said said);
  bool user_is_faster(Clock::time_point now, bool crowded);
  std::uint64_t bytes_moved() const;
  std::size_t busy_for_each_thread() const;
  void go_on(bool moved);
  void look();
  std::vector<Connection*> busy_in_kernel() const;
  void hand_over_all();
  void record_turn(bool crowded) const;
  static void record_trial(const PathTrial& trial);

  RelayThread& thread_;
  asio::steady_timer timer_;
  bool goes_on_ = false;
  bool shut_ = false;
  bool was_crowded_ = false;
  Clock::time_point crowded_until_{};

  // Since the last look. A connection counts once, however many turns it takes.
  Clock::time_point looked_at_{};
  std::uint64_t window_ = 1;
  std::uint64_t turns_ = 0;  // in user space
  std::size_t busy_ = 0;     // connections
  std::uint64_t segments_seen_ = 0;
  std::uint64_t bytes_seen_ = 0;
  Said told_;  // to the other threads
};

}  // namespace ambbpf
