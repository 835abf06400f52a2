// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "userspace/dns/resolver.h"
#include "userspace/support/task.h"

namespace ambbpf {

// A name that is followed for as long as *this lives: asked for again when its answer has aged,
// soon when it is in doubt, and after a failure with growing pauses. The last good answer stays. On
// the resolver's thread.
class FollowedName {
 public:
  struct State {
    std::optional<DnsAnswer> answer;  // the last good one
    std::uint64_t answers = 0;        // good ones, since the start
    std::uint64_t failures = 0;
    std::uint64_t changes = 0;  // of what was answered, and of whether it was
    std::optional<Clock::time_point> failed_at;
    std::string last_error;   // "resolve NAME: WHY"
    bool is_failing = false;  // the last question had no answer

    bool is_settled() const { return answer || is_failing; }  // asked for once at least
    bool resolves() const { return answer && !is_failing; }
  };

  // `heard` is called after each question, in a later turn of the loop; it may destroy *this.
  FollowedName(std::shared_ptr<Resolver> resolver, DnsQuestion question,
               std::function<void()> heard);
  ~FollowedName();
  FollowedName(const FollowedName&) = delete;
  FollowedName& operator=(const FollowedName&) = delete;

  const State& state() const;

  // Asks again at once, but not more often than once a second.
  void doubt();

 private:
  struct Parts;
  static awaitable<void> follow(std::shared_ptr<Parts> parts);

  const std::shared_ptr<Parts> parts_;  // of the task as well
  Task task_;
};

}  // namespace ambbpf
