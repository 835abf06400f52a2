// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/choice.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace ambbpf {
namespace {

// How often each has its turn in a round.
std::vector<std::uint64_t> turns_in_a_round(const std::vector<Candidate>& candidates) {
  constexpr std::uint64_t kFew = 10'000;    // turns
  constexpr std::uint64_t kForEachOne = 4;  // beyond that
  std::uint64_t divisor = 0;
  std::uint64_t all = 0;
  for (const auto& candidate : candidates) {
    divisor = std::gcd(divisor, candidate.weight_now());
    all += candidate.weight_now();
  }
  const auto most = std::max(kFew, kForEachOne * candidates.size());
  std::vector<std::uint64_t> turns;
  for (const auto& candidate : candidates) {
    const auto weight = candidate.weight_now();
    turns.push_back(all / divisor <= most ? weight / divisor
                                          : std::max<std::uint64_t>(1, weight * most / all));
  }
  return turns;
}

// Those with as many turns as each other: they have them one after the other.
struct Equals {
  std::int64_t turns = 0;  // of each
  std::vector<std::uint32_t> indices{};
  std::size_t next = 0;     // whose turn it is among them
  std::int64_t credit = 0;  // of that one: nginx's current_weight

  std::uint32_t who() const { return indices[next]; }
};

// Those of `level` who would be passed over beyond what `rule` allows.
std::vector<const Backend*> beyond(const EjectionRule& rule, std::vector<Candidate> level,
                                   Clock::time_point now) {
  const auto allowed = level.size() * rule.max_ejected / 100;
  std::erase_if(level, [&](const Candidate& candidate) {
    return is_usable(candidate, now, rule.those_due_count);
  });
  if (level.size() <= allowed) return {};
  const auto excess = level.size() - allowed;
  std::erase_if(level, [](const Candidate& candidate) {
    return !candidate.backend->accepts_connects() || candidate.backend->is_down();
  });
  std::ranges::stable_sort(
      level, {}, [](const Candidate& candidate) { return candidate.backend->ejected_until(); });
  std::vector<const Backend*> those;
  for (const auto& candidate : level)
    if (those.size() < excess) those.push_back(candidate.backend.get());
  return those;
}

}  // namespace

bool is_usable(const Candidate& candidate, Clock::time_point now, bool those_due_count) {
  if (candidate.backend->is_down()) return false;
  const auto health = candidate.backend->health(now);
  return health == Health::State::kInUse || (those_due_count && health == Health::State::kDue);
}

std::vector<Candidate> candidates_of(const std::vector<Candidate>& all, Clock::time_point now,
                                     unsigned zone_spill, const EjectionRule& rule) {
  const auto those = [&all](auto&& wanted) {
    std::vector<Candidate> found;
    std::ranges::copy_if(all, std::back_inserter(found), wanted);
    return found;
  };
  auto usable = those([&](const Candidate& candidate) {
    return candidate.weight > 0 && is_usable(candidate, now, rule.those_due_count);
  });
  if (usable.empty()) {
    auto weighed = those([](const Candidate& candidate) { return candidate.weight > 0; });
    return weighed.empty() ? all : weighed;
  }
  const auto priority = std::ranges::min(usable, {}, &Candidate::priority).priority;
  const auto is_of_it = [priority](const Candidate& candidate) {
    return candidate.priority == priority && candidate.weight > 0;
  };
  if (const auto more = beyond(rule, those(is_of_it), now); !more.empty())
    usable = those([&](const Candidate& candidate) {
      return is_of_it(candidate) &&
             (is_usable(candidate, now, rule.those_due_count) ||
              std::ranges::find(more, candidate.backend.get()) != more.end());
    });
  const auto is_near = [priority](const Candidate& candidate) {
    return candidate.priority == priority && candidate.is_near && candidate.weight > 0;
  };
  const auto near = static_cast<std::uint64_t>(std::ranges::count_if(all, is_near));
  const auto near_usable = static_cast<std::uint64_t>(std::ranges::count_if(usable, is_near));
  const bool stays_near = near_usable > 0 && near_usable * 100 >= near * zone_spill;
  std::erase_if(usable, [&](const Candidate& candidate) {
    return candidate.priority != priority || (stays_near && !candidate.is_near);
  });
  return usable;
}

std::size_t used_all_the_same(const std::vector<Candidate>& candidates, Clock::time_point now) {
  const auto usable = std::ranges::count_if(
      candidates, [now](const Candidate& candidate) { return is_usable(candidate, now); });
  return usable == 0 ? 0 : candidates.size() - static_cast<std::size_t>(usable);
}

// At each step all get as much credit as they have turns; who has most has its turn, the first of
// several, and pays the length of the round. Equals are looked at as one, so that thousands take no
// longer than their different weights.
std::vector<std::uint32_t> turns_of(const std::vector<Candidate>& candidates) {
  const auto same = [&](const Candidate& other) {
    return other.weight_now() == candidates[0].weight_now();
  };
  if (std::ranges::all_of(candidates, same)) return {};

  const auto turns = turns_in_a_round(candidates);
  std::map<std::uint64_t, Equals> by_turns;
  for (std::uint32_t i = 0; i < turns.size(); ++i) by_turns[turns[i]].indices.push_back(i);
  std::vector<Equals> all;
  for (auto& [each, equals] : by_turns) {
    equals.turns = static_cast<std::int64_t>(each);
    all.push_back(std::move(equals));
  }
  const auto length = std::accumulate(turns.begin(), turns.end(), std::uint64_t{0});
  std::vector<std::uint32_t> order;
  order.reserve(length);
  while (order.size() < length) {
    for (auto& equals : all) equals.credit += equals.turns;
    auto& most = *std::ranges::max_element(all, [](const Equals& one, const Equals& other) {
      return one.credit < other.credit || (one.credit == other.credit && one.who() > other.who());
    });
    order.push_back(most.who());
    if (++most.next < most.indices.size()) continue;
    most.next = 0;
    most.credit -= static_cast<std::int64_t>(length);
  }
  return order;
}

}  // namespace ambbpf
