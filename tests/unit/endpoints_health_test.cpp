// SPDX-License-Identifier: Apache-2.0
// When a backend is ejected, tried again, and well again.
#include <gtest/gtest.h>

#include "userspace/endpoints/health.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using State = Health::State;
using Change = Health::Change;

// What happens when, and what is so then: in milliseconds from the beginning.
struct HealthStep {
  int at;
  enum What { kNothing, kGoodConnect, kFailedConnect, kReset, kAnswer, kTry, kNoTry } what;
  State then;
};

struct HealthStory {
  const char* name;
  unsigned eject_resets;
  std::vector<HealthStep> steps;
};

void PrintTo(const HealthStory& story, std::ostream* out) { *out << story.name; }

class HealthStories : public testing::TestWithParam<HealthStory> {};

TEST_P(HealthStories, EndAsTheyHaveTo) {
  const auto begin = Clock::now();
  const auto& [name, eject_resets, steps] = GetParam();
  Health health;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    SCOPED_TRACE(i);
    const auto now = begin + std::chrono::milliseconds(steps[i].at);
    const auto note = [&](BackendOutcome outcome) { health.note(outcome, now, eject_resets); };
    switch (steps[i].what) {
      case HealthStep::kNothing:
        break;
      case HealthStep::kGoodConnect:
        note(BackendOutcome::kConnected);
        break;
      case HealthStep::kFailedConnect:
        note(BackendOutcome::kConnectFailed);
        break;
      case HealthStep::kReset:
        note(BackendOutcome::kEarlyReset);
        break;
      case HealthStep::kAnswer:
        note(BackendOutcome::kAnswered);
        break;
      case HealthStep::kTry:
        EXPECT_TRUE(health.begin_trial(now));
        break;
      case HealthStep::kNoTry:
        EXPECT_FALSE(health.begin_trial(now));
        break;
    }
    EXPECT_EQ(static_cast<int>(health.at(now)), static_cast<int>(steps[i].then));
  }
}

constexpr auto kInUse = State::kInUse;
constexpr auto kEjected = State::kEjected;
constexpr auto kDue = State::kDue;
constexpr auto kOnTrial = State::kOnTrial;
using S = HealthStep;

INSTANTIATE_TEST_SUITE_P(
    Of, HealthStories,
    testing::Values(HealthStory{"AFailedConnect",
                                3,
                                {{0, S::kNoTry, kInUse},
                                 {0, S::kFailedConnect, kEjected},
                                 {999, S::kNoTry, kEjected},
                                 {1000, S::kNothing, kDue},
                                 {1500, S::kTry, kOnTrial},
                                 {1500, S::kNoTry, kOnTrial},
                                 {1600, S::kGoodConnect, kInUse}}},
                    HealthStory{"TrialsThatFail",
                                3,
                                {{0, S::kFailedConnect, kEjected},
                                 {1000, S::kTry, kOnTrial},
                                 {1000, S::kFailedConnect, kEjected},
                                 {2999, S::kNothing, kEjected},
                                 {3000, S::kTry, kOnTrial},
                                 {3000, S::kFailedConnect, kEjected},
                                 {6999, S::kNothing, kEjected},
                                 {7000, S::kNothing, kDue}}},
                    HealthStory{"WhatFailsMeanwhile",
                                3,
                                {{0, S::kFailedConnect, kEjected},
                                 {100, S::kFailedConnect, kEjected},
                                 {200, S::kReset, kEjected},
                                 {1000, S::kNothing, kDue}}},
                    HealthStory{"ATrialToConnectThatNeverEnds",
                                3,
                                {{0, S::kFailedConnect, kEjected},
                                 {1000, S::kTry, kOnTrial},
                                 {5999, S::kNoTry, kOnTrial},
                                 {6000, S::kTry, kOnTrial}}},
                    HealthStory{"ResetsInARow",
                                3,
                                {{0, S::kReset, kInUse},
                                 {1, S::kReset, kInUse},
                                 {2, S::kReset, kEjected},
                                 {3, S::kGoodConnect, kEjected},
                                 {1002, S::kTry, kOnTrial},
                                 {1002, S::kGoodConnect, kOnTrial},
                                 {1003, S::kReset, kEjected},
                                 {3002, S::kNothing, kEjected},
                                 {3003, S::kTry, kOnTrial},
                                 {3004, S::kGoodConnect, kOnTrial},
                                 {3005, S::kAnswer, kInUse},
                                 {3006, S::kReset, kInUse}}},
                    HealthStory{"GoodConnectsBetweenResets",
                                2,
                                {{0, S::kGoodConnect, kInUse},
                                 {1, S::kReset, kInUse},
                                 {2, S::kGoodConnect, kInUse},
                                 {3, S::kReset, kEjected}}},
                    HealthStory{"AnswersBetweenResets",
                                2,
                                {{0, S::kReset, kInUse},
                                 {1, S::kAnswer, kInUse},
                                 {2, S::kReset, kInUse},
                                 {3, S::kAnswer, kInUse},
                                 {4, S::kReset, kInUse}}},
                    HealthStory{"ResetsThatDoNotCount",
                                0,
                                {{0, S::kReset, kInUse},
                                 {1, S::kReset, kInUse},
                                 {2, S::kReset, kInUse},
                                 {3, S::kReset, kInUse}}},
                    HealthStory{"ATrialOfOneWhoSaysNothing",
                                1,
                                {{0, S::kReset, kEjected},
                                 {1000, S::kTry, kOnTrial},
                                 {5999, S::kNoTry, kOnTrial},
                                 {6000, S::kNoTry, kInUse},
                                 {6001, S::kReset, kEjected},
                                 {8000, S::kNothing, kEjected},
                                 {8001, S::kNothing, kDue}}},
                    HealthStory{"AnAnswerWhereConnectsFail",
                                3,
                                {{0, S::kFailedConnect, kEjected},
                                 {1, S::kAnswer, kEjected},
                                 {1000, S::kTry, kOnTrial},
                                 {1001, S::kAnswer, kOnTrial}}},
                    HealthStory{"ResetsWhereConnectsHaveFailed",
                                1,
                                {{0, S::kFailedConnect, kEjected},
                                 {1000, S::kTry, kOnTrial},
                                 {1001, S::kReset, kEjected},
                                 {3001, S::kTry, kOnTrial},
                                 {3001, S::kGoodConnect, kOnTrial},
                                 {3002, S::kAnswer, kInUse}}},
                    HealthStory{"OneThatFlaps",
                                1,
                                {{0, S::kReset, kEjected},
                                 {1000, S::kAnswer, kInUse},
                                 {1200, S::kReset, kEjected},
                                 {3199, S::kNothing, kEjected},
                                 {3200, S::kAnswer, kInUse},
                                 {5200, S::kReset, kEjected},  // well for as long as it was ejected
                                 {6199, S::kNothing, kEjected},
                                 {6200, S::kNothing, kDue}}}),
    [](const auto& story) { return std::string(story.param.name); });

TEST(Health, SaysWhatHasChanged) {
  auto now = Clock::now();
  Health health;
  const auto note = [&](BackendOutcome outcome) { return health.note(outcome, now, 2); };
  EXPECT_EQ(note(BackendOutcome::kConnected), Change::kNone);
  EXPECT_EQ(note(BackendOutcome::kEarlyReset), Change::kNone);
  EXPECT_TRUE(health.is_suspect());
  EXPECT_EQ(note(BackendOutcome::kEarlyReset), Change::kEjected);
  EXPECT_TRUE(health.connects());
  EXPECT_EQ(health.until(now), now + 1s);
  EXPECT_EQ(note(BackendOutcome::kEarlyReset), Change::kNone) << "it was under way";
  now += 1s;
  EXPECT_EQ(health.until(now), Clock::time_point::max()) << "somebody has to try it";
  EXPECT_TRUE(health.begin_trial(now));
  EXPECT_EQ(health.until(now), now + 5s);
  EXPECT_EQ(note(BackendOutcome::kConnectFailed), Change::kEjectedAgain);
  EXPECT_EQ(note(BackendOutcome::kAnswered), Change::kProven);
  EXPECT_FALSE(health.is_suspect());
}

}  // namespace
}  // namespace ambbpf::test
