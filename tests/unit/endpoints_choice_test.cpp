// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "tests/unit/candidates.h"
#include "userspace/endpoints/standing.h"

namespace ambbpf::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

std::vector<int> ports_of(const std::vector<Candidate>& candidates) {
  std::vector<int> ports;
  for (const auto& candidate : candidates) ports.push_back(candidate.backend->address().port());
  return ports;
}

std::vector<int> picked(std::string_view policy, const std::vector<std::uint32_t>& weights,
                        std::uint64_t turns) {
  const auto choice = choice_of(policy, candidates_of_weights(weights));
  std::vector<int> ports;
  for (std::uint64_t turn = 0; turn < turns; ++turn)
    ports.push_back(port_of(choice.pick(Client{}, turn)));
  return ports;
}

// As ngx_http_upstream_get_peer() has it: one step after the other, over all.
std::vector<std::uint32_t> round_of_nginx(const std::vector<std::uint32_t>& weights) {
  const auto total = std::accumulate(weights.begin(), weights.end(), 0);
  std::vector<int> current(weights.size());
  std::vector<std::uint32_t> order;
  for (int turn = 0; turn < total; ++turn) {
    for (std::size_t i = 0; i < weights.size(); ++i) current[i] += static_cast<int>(weights[i]);
    const auto best = std::ranges::max_element(current);  // the first of several
    *best -= total;
    order.push_back(static_cast<std::uint32_t>(best - current.begin()));
  }
  return order;
}

}  // namespace

TEST(RoundRobin, TakesOneAfterTheOther) {
  EXPECT_THAT(picked("round_robin", {1, 1, 1}, 6), ElementsAre(1, 2, 3, 1, 2, 3));
  EXPECT_THAT(picked("round_robin", {7, 7}, 3), ElementsAre(1, 2, 1));
}

TEST(RoundRobin, TakesEachAsOftenAsItsWeightSaysAndNotInBursts) {
  EXPECT_THAT(picked("round_robin", {5, 1, 1}, 7), ElementsAre(1, 1, 2, 1, 3, 1, 1));
  EXPECT_THAT(picked("round_robin", {2, 4}, 6), ElementsAre(2, 1, 2, 2, 1, 2));
}

TEST(RoundRobin, HasTheOrderOfNginx) {
  std::mt19937 random(7);
  for (int set = 0; set < 300; ++set) {
    std::vector<std::uint32_t> weights{1};  // so that they have no common divisor
    while (weights.size() < 2 + static_cast<std::size_t>(set) % 12)
      weights.push_back(static_cast<std::uint32_t>(1 + random() % (set % 2 == 0 ? 4 : 50)));
    std::ranges::shuffle(weights, random);
    const auto order = turns_of(candidates_of_weights(weights));
    const bool same = std::ranges::count(weights, weights[0]) == std::ssize(weights);
    EXPECT_EQ(order, same ? std::vector<std::uint32_t>() : round_of_nginx(weights))
        << testing::PrintToString(weights);
  }
}

TEST(RoundRobin, HasABoundedRoundHoweverManyWeighDifferently) {
  std::vector<std::uint32_t> weights;
  for (std::uint32_t i = 0; i < 20'000; ++i) weights.push_back(1 + i % kMostWeight);
  const auto order = turns_of(candidates_of_weights(weights));
  EXPECT_LE(order.size(), 5U * weights.size());
  std::vector<bool> has_a_turn(weights.size());
  for (const auto index : order) has_a_turn[index] = true;
  EXPECT_EQ(std::count(has_a_turn.begin(), has_a_turn.end(), false), 0);
}

TEST(First, TakesTheFirst) { EXPECT_THAT(picked("first", {1, 9}, 3), ElementsAre(1, 1, 1)); }

TEST(Policies, TakeNobodyWhereThereIsNone) {
  for (const auto& policy : all_policies()) {
    const Choice choice{.policy = &policy};
    EXPECT_EQ(choice.pick(Client{}, 1), nullptr) << policy.name;
  }
  EXPECT_EQ(policy_named("best"), nullptr);
}

TEST(Candidates, AreThoseNotEjectedAndOfSomeWeight) {
  const auto now = Clock::now();
  const auto all = candidates_of_weights({1, 0, 1, 1});
  EXPECT_THAT(ports_of(candidates_of(all, now, 50)), ElementsAre(1, 3, 4));
  all[0].backend->report(BackendOutcome::kConnectFailed, now);
  EXPECT_THAT(ports_of(candidates_of(all, now, 50)), ElementsAre(3, 4));
  EXPECT_THAT(ports_of(candidates_of(all, now + 1s, 50)), ElementsAre(3, 4)) << "it is to be tried";
  EXPECT_THAT(ports_of(candidates_of(all, now + 1s, 50, {.those_due_count = true})),
              ElementsAre(1, 3, 4));
  EXPECT_TRUE(all[0].backend->begin_trial(now + 1s));
  EXPECT_THAT(ports_of(candidates_of(all, now + 1s, 50, {.those_due_count = true})),
              ElementsAre(3, 4));
}

// Of four and a backup, those that reset and those that cannot be connected to; the candidates.
struct Limited {
  std::vector<int> reset;  // the first for the longest time
  std::vector<int> gone;
  unsigned max_ejected;
  std::vector<int> candidates;
  std::size_t used_all_the_same;
};

TEST(Candidates, AreAlsoTheEjectedOnesBeyondTheShareThatMayBe) {
  const auto now = Clock::now();
  const Limited table[] = {
      {{}, {}, 0, {1, 2, 3, 4}, 0},
      {{1, 2}, {}, 50, {3, 4}, 0},
      {{1, 2, 3}, {}, 50, {3, 4}, 1},  // the one whose time is over first
      {{3, 2, 1}, {}, 50, {1, 4}, 1},
      {{1, 2, 3}, {}, 100, {4}, 0},
      {{1, 2, 3}, {}, 74, {3, 4}, 1},  // 2.96 are two
      {{1, 2, 3}, {}, 25, {2, 3, 4}, 2},
      {{1}, {}, 0, {1, 2, 3, 4}, 1},
      {{}, {1, 2, 3}, 50, {4}, 0},  // nothing is gained there
      {{1, 2}, {3}, 50, {2, 4}, 1},
      {{1}, {2, 3}, 25, {1, 4}, 1},
      {{1, 2, 3, 4}, {}, 50, {5}, 0},  // whose turn it is now
      {{1, 2}, {3, 4}, 50, {5}, 0},
      {{1, 2, 3, 4, 5}, {}, 50, {1, 2, 3, 4, 5}, 0},  // there is nobody else
  };
  for (const auto& row : table) {
    SCOPED_TRACE(testing::PrintToString(row.reset) + testing::PrintToString(row.gone) +
                 std::to_string(row.max_ejected));
    auto all = candidates_of_weights({1, 1, 1, 1, 1, 0});
    all[4].priority = kBackupPriority;
    const auto backend = [&](int port) { return all[static_cast<std::size_t>(port - 1)].backend; };
    auto earlier = now;
    for (const int port : row.reset)
      backend(port)->report(BackendOutcome::kEarlyReset, earlier -= 1ms, "", 1);
    if (!row.reset.empty()) {
      // The first one's is the longest: it was ejected last.
      EXPECT_GT(backend(row.reset.front())->ejected_until(), now);
    }
    for (const int port : row.gone) backend(port)->report(BackendOutcome::kConnectFailed, now);
    const auto candidates = candidates_of(all, now, 50, {.max_ejected = row.max_ejected});
    EXPECT_EQ(ports_of(candidates), row.candidates);
    EXPECT_EQ(used_all_the_same(candidates, now), row.used_all_the_same);
  }
}

TEST(Candidates, AreTheEjectedOnesWhenThereIsNoOther) {
  const auto now = Clock::now();
  auto all = candidates_of_weights({1, 0, 1});
  all[2].priority = kBackupPriority;
  for (const auto& candidate : all) candidate.backend->report(BackendOutcome::kConnectFailed, now);
  EXPECT_THAT(ports_of(candidates_of(all, now, 50)), ElementsAre(1, 3)) << "whatever has a chance";
  EXPECT_THAT(ports_of(candidates_of(candidates_of_weights({0, 0}), now, 50)), ElementsAre(1, 2));
  EXPECT_THAT(candidates_of({}, now, 50), IsEmpty());
}

TEST(Candidates, AreThoseOfTheLowestPriorityThatHasAny) {
  const auto now = Clock::now();
  auto all = candidates_of_weights({1, 1, 0, 1, 1});
  const std::uint32_t priorities[] = {5, kBackupPriority, 0, 2, 5};
  for (std::size_t i = 0; i < all.size(); ++i) all[i].priority = priorities[i];
  const auto eject = [&](std::size_t i) {
    all[i].backend->report(BackendOutcome::kConnectFailed, now);
    return ports_of(candidates_of(all, now, 50));
  };
  EXPECT_THAT(ports_of(candidates_of(all, now, 50)), ElementsAre(4)) << "weight 0 is nobody";
  EXPECT_THAT(eject(3), ElementsAre(1, 5));
  EXPECT_THAT(eject(0), ElementsAre(5));
  EXPECT_THAT(eject(4), ElementsAre(2)) << "a backup comes last";
  all[3].backend->report(BackendOutcome::kConnected, now);
  EXPECT_THAT(ports_of(candidates_of(all, now, 50)), ElementsAre(4));
}

// Of four near ones and two others: so many near ones are ejected, at that share, who is left.
struct Spill {
  int ejected;
  unsigned zone_spill;
  std::vector<int> left;
};

TEST(Candidates, AreTheNearOnesAsLongAsEnoughOfThemAreUsable) {
  const auto now = Clock::now();
  const Spill table[] = {
      {0, 50, {1, 2, 3, 4}},     {2, 50, {3, 4}},  // half of them are enough
      {3, 50, {4, 5, 6}},                          // a quarter is not
      {1, 100, {2, 3, 4, 5, 6}}, {3, 0, {4}},     {4, 0, {5, 6}},
  };
  for (const auto& [ejected, zone_spill, left] : table) {
    auto all = candidates_of_weights({1, 1, 1, 1, 1, 1, 0});
    for (std::size_t i = 0; i < 4; ++i) all[i].is_near = true;
    all[6].is_near = true;  // weight 0: not one of them
    for (int i = 0; i < ejected; ++i)
      all[static_cast<std::size_t>(i)].backend->report(BackendOutcome::kConnectFailed, now);
    EXPECT_EQ(ports_of(candidates_of(all, now, zone_spill)), left) << ejected << ' ' << zone_spill;
  }
}

TEST(Candidates, AreNearWithinTheirPriority) {
  const auto now = Clock::now();
  auto all = candidates_of_weights({1, 1, 1});
  all[0].priority = 1;
  all[0].is_near = true;
  EXPECT_THAT(ports_of(candidates_of(all, now, 50)), ElementsAre(2, 3)) << "it comes later";
  for (const auto i : {1U, 2U}) all[i].backend->report(BackendOutcome::kConnectFailed, now);
  EXPECT_THAT(ports_of(candidates_of(all, now, 50)), ElementsAre(1));
}

}  // namespace ambbpf::test
