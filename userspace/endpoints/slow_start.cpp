// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/slow_start.h"

#include <algorithm>
#include <set>
#include <utility>

namespace ambbpf {

SlowPart slow_part(Clock::duration since, Clock::duration slow_start) {
  constexpr unsigned kFirst = 10;  // percent
  constexpr unsigned kStep = 5;    // …
  constexpr auto kSteps = (100 - kFirst) / kStep;
  if (since >= slow_start) return {};
  const auto steps = since * kSteps / slow_start;
  // The first moment of the next one.
  const auto until = (slow_start * (steps + 1) + Clock::duration(kSteps - 1)) / kSteps;
  return {.percent = kFirst + kStep * static_cast<unsigned>(steps), .until = until};
}

Clock::time_point SlowStarts::weigh(std::vector<Candidate>& all,
                                    const std::vector<Candidate>& chosen,
                                    Clock::duration slow_start, Clock::time_point now) {
  follow(all, chosen, now);
  auto until = Clock::time_point::max();
  for (auto& candidate : all) {
    const auto known = in_use_.find(candidate.backend.get());
    if (known == in_use_.end() || !known->second.is_slow) continue;
    const auto part = slow_part(now - known->second.since, slow_start);
    candidate.percent = part.percent;
    known->second.is_slow = part != SlowPart();
    if (known->second.is_slow) until = std::min(until, known->second.since + part.until);
  }
  return until;
}

void SlowStarts::follow(const std::vector<Candidate>& all, const std::vector<Candidate>& chosen,
                        Clock::time_point now) {
  const auto before = std::exchange(in_use_, {});
  const bool has_others = std::ranges::any_of(
      chosen, [&](const Candidate& one) { return before.contains(one.backend.get()); });
  if (!has_others) first_at_ = now;
  const bool comers_are_slow = has_others && now >= first_at_ + kFirstSet;
  const auto is_usable_now = [now](const Candidate& candidate) {
    return candidate.weight > 0 && is_usable(candidate, now);
  };
  std::set<const Backend*> used_all_the_same;
  for (const auto& candidate : chosen)
    if (!is_usable_now(candidate)) used_all_the_same.insert(candidate.backend.get());
  for (const auto& candidate : all) {
    const auto* backend = candidate.backend.get();
    const bool usable = is_usable_now(candidate);
    if (!usable && !used_all_the_same.contains(backend)) continue;
    const auto known = before.find(backend);
    in_use_.emplace(backend, known != before.end()
                                 ? known->second
                                 : InUse{.since = now, .is_slow = usable && comers_are_slow});
  }
}

}  // namespace ambbpf
