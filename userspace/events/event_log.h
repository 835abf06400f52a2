// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/events/event.h"

namespace ambbpf {

// The last events, in memory. When there is no room for one more, the oldest of the service that
// has the most goes (those without a service count as one): so however much one flaps, the others'
// last events stay, and each of N busy services has an N-th of the room. Any thread may call it.
class EventLog {
 public:
  static constexpr std::size_t kMost = 1'000;
  static constexpr std::size_t kLongestText = 400;  // bytes of each; of more, the beginning is kept

  // `id` and `time` are given here. Returns in some microseconds, whatever the number of events.
  void record(Event event);
  // The same, with what `cause` says.
  void record(Event event, const Cause& cause);

  struct Told {
    std::vector<std::shared_ptr<const Event>> events;  // the oldest first
    std::uint64_t last = 0;                            // the id of the newest there has been
    std::uint64_t lost = 0;  // those after the one asked for that are kept no more
  };
  // All after this one that are kept; after one that there has not been yet: all that are kept.
  Told after(std::uint64_t id) const;

  // Returns as soon as there is one after `id`, at `deadline` at the latest. The caller's executor
  // must not run on several threads.
  awaitable<void> wait_for_later(std::uint64_t id, Clock::time_point deadline);

 private:
  using Kept = std::deque<std::shared_ptr<const Event>>;  // of one service; never empty
  // By how many a service has, and then by how old the oldest is.
  using Rank = std::pair<std::size_t, std::uint64_t>;
  static Rank rank_of(const Kept& kept) { return {kept.size(), ~kept.front()->id}; }
  // With mutex_ held:
  void keep(std::shared_ptr<const Event> event);
  void drop_one();

  mutable std::mutex mutex_;
  std::map<std::string, Kept, std::less<>> by_service_;
  std::map<Rank, std::string> ranks_;  // of each service
  std::size_t count_ = 0;
  std::uint64_t last_ = 0;
  std::vector<std::weak_ptr<asio::steady_timer>> waiting_;
};

// That of this process, as there is one log.
EventLog& event_log();

}  // namespace ambbpf
