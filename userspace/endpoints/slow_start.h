// SPDX-License-Identifier: Apache-2.0
// An endpoint that comes back, or is added to others, gets its share of new connections little by
// little: its caches are cold, its pools empty, and it would get the most by least_connections.
// Pure: whoever asks says what time it is.
#pragma once

#include <map>
#include <vector>

#include "userspace/endpoints/choice.h"

namespace ambbpf {

struct SlowPart {
  unsigned percent = 100;                          // of its weight
  Clock::duration until = Clock::duration::max();  // since it came; then it is another one

  bool operator==(const SlowPart&) const = default;
};

// What counts of the weight of one that came so long ago: 10 % at first, all after `slow_start`,
// and in between in steps of 5 %, so that rounds of turns stay short.
SlowPart slow_part(Clock::duration since, Clock::duration slow_start);

// Who of a service has come, and when.
class SlowStarts {
 public:
  // Those who come so soon after the first ones are of one set with them, as sources do not all
  // speak at the same moment: all of it would be slow alike.
  static constexpr std::chrono::seconds kFirstSet{1};

  // Sets the percent of all endpoints of a service, of whom `chosen` are the candidates. One has
  // come that is usable and was not before (it was down, ejected, drained, of weight 0, or
  // unknown), nor was used all the same. It starts slowly where there are others, who are
  // candidates and have been in use. Returns when somebody's percent will be another one; max:
  // never. `slow_start`: above 0.
  Clock::time_point weigh(std::vector<Candidate>& all, const std::vector<Candidate>& chosen,
                          Clock::duration slow_start, Clock::time_point now);

 private:
  struct InUse {
    Clock::time_point since;
    bool is_slow = false;
  };

  void follow(const std::vector<Candidate>& all, const std::vector<Candidate>& chosen,
              Clock::time_point now);

  std::map<const Backend*, InUse> in_use_;
  Clock::time_point first_at_;  // somebody was a candidate, and has been since
};

}  // namespace ambbpf
