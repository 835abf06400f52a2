// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "userspace/endpoints/choice.h"

namespace ambbpf::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

// One for each weight, at the ports 1, 2, 3…
std::vector<Candidate> candidates_of_weights(const std::vector<std::uint32_t>& weights) {
  std::vector<Candidate> candidates;
  for (const auto weight : weights) {
    const auto port = static_cast<unsigned short>(candidates.size() + 1);
    const tcp::endpoint address(asio::ip::address_v4::loopback(), port);
    candidates.push_back({std::make_shared<Backend>(address), weight});
  }
  return candidates;
}

std::vector<int> ports_of(const std::vector<Candidate>& candidates) {
  std::vector<int> ports;
  for (const auto& candidate : candidates) ports.push_back(candidate.backend->address().port());
  return ports;
}

std::vector<int> picked(std::string_view policy, const std::vector<std::uint32_t>& weights,
                        std::uint64_t turns) {
  Choice choice{.policy = policy_named(policy), .candidates = candidates_of_weights(weights)};
  choice.order = turns_of(choice.candidates);
  std::vector<int> ports;
  for (std::uint64_t turn = 0; turn < turns; ++turn)
    ports.push_back(choice.pick(Client{}, turn)->backend->address().port());
  return ports;
}

}  // namespace

TEST(RoundRobin, TakesOneAfterTheOther) {
  EXPECT_THAT(picked("round_robin", {1, 1, 1}, 6), ElementsAre(1, 2, 3, 1, 2, 3));
  EXPECT_THAT(picked("round_robin", {7, 7}, 3), ElementsAre(1, 2, 1));
}

TEST(RoundRobin, TakesEachAsOftenAsItsWeightSaysAndNotInBursts) {
  EXPECT_THAT(picked("round_robin", {5, 1, 1}, 7), ElementsAre(1, 1, 1, 2, 3, 1, 1));
  EXPECT_THAT(picked("round_robin", {2, 4}, 6), ElementsAre(2, 1, 2, 2, 1, 2));
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
  EXPECT_THAT(ports_of(candidates_of(all, now)), ElementsAre(1, 3, 4));
  all[0].backend->report(BackendOutcome::kConnectFailed, now);
  EXPECT_THAT(ports_of(candidates_of(all, now)), ElementsAre(3, 4));
  EXPECT_THAT(ports_of(candidates_of(all, now + 1s)), ElementsAre(1, 3, 4));
}

TEST(Candidates, AreTheEjectedOnesWhenThereIsNoOther) {
  const auto now = Clock::now();
  const auto all = candidates_of_weights({1, 0, 1});
  for (const auto& candidate : all) candidate.backend->report(BackendOutcome::kConnectFailed, now);
  EXPECT_THAT(ports_of(candidates_of(all, now)), ElementsAre(1, 3));
  EXPECT_THAT(ports_of(candidates_of(candidates_of_weights({0, 0}), now)), ElementsAre(1, 2));
  EXPECT_THAT(candidates_of({}, now), IsEmpty());
}

TEST(Weight, IsANumberUpToAThousand) {
  EXPECT_EQ(weight_of({}), 1U);
  EXPECT_EQ(weight_of({{"zone", "a"}, {"weight", "0"}}), 0U);
  EXPECT_EQ(weight_of({{"weight", "1000"}}), 1000U);
  for (const auto* text : {"", "-1", "1001", "1.5", "3x", " 3"})
    EXPECT_FALSE(weight_of({{"weight", text}})) << text;
}

}  // namespace ambbpf::test
