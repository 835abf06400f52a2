// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/docker/known_containers.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;
using Kind = DockerEvent::Kind;
using Next = KnownContainers::Next;
using State = Container::State;

constexpr int kTerm = 15;
constexpr int kHup = 1;
constexpr std::int64_t kStarted = 1000;

Container web(State state = State::kRunning) {
  Container container;
  container.id = "ab";
  container.name = "web";
  container.state = state;
  container.started_at = kStarted;
  return container;
}

class KnownContainersTest : public ::testing::Test {
 protected:
  Next heard(Kind kind, int signal = 0, std::int64_t time_nano = kStarted + 1) {
    return known.heard({kind, "ab", "start", signal, time_nano}, now);
  }
  State state() const { return known.containers().at("ab").state; }

  Clock::time_point now = Clock::now();
  KnownContainers known{60s};
};

TEST_F(KnownContainersTest, AnInspectionIsTheTruth) {
  known.inspected("ab", web(), now);
  EXPECT_EQ(known.containers().at("ab"), web());
  known.inspected("ab", web(State::kPaused), now);
  EXPECT_EQ(state(), State::kPaused);
  known.inspected("ab", std::nullopt, now);
  EXPECT_TRUE(known.containers().empty());
}

TEST_F(KnownContainersTest, StopSignalTellsByItself) {
  known.inspected("ab", web(), now);
  EXPECT_EQ(heard(Kind::kKill, kTerm), Next::kNothing);
  EXPECT_EQ(state(), State::kStopping);
  known.inspected("ab", web(), now);
  EXPECT_EQ(state(), State::kStopping) << "no inspection tells this";
}

TEST_F(KnownContainersTest, OtherSignalsAreOfNoInterest) {
  known.inspected("ab", web(), now);
  EXPECT_EQ(heard(Kind::kKill, kHup), Next::kNothing);
  EXPECT_EQ(heard(Kind::kKill), Next::kNothing) << "an old engine tells no signal";
  EXPECT_EQ(state(), State::kRunning);
}

TEST_F(KnownContainersTest, StopSignalIsTheContainersOwn) {
  auto container = web();
  container.stop_signal = kHup;
  known.inspected("ab", container, now);
  heard(Kind::kKill, kTerm);
  EXPECT_EQ(state(), State::kRunning);
  heard(Kind::kKill, kHup);
  EXPECT_EQ(state(), State::kStopping);
}

TEST_F(KnownContainersTest, StopSignalBeforeTheFirstInspection) {
  EXPECT_EQ(heard(Kind::kKill, kTerm), Next::kInspect);
  known.inspected("ab", web(), now);
  EXPECT_EQ(state(), State::kStopping);
}

TEST_F(KnownContainersTest, StopSignalOfAnEarlierLifeIsOver) {
  known.inspected("ab", web(), now);
  heard(Kind::kKill, kTerm, kStarted - 1);
  EXPECT_EQ(state(), State::kRunning);
  heard(Kind::kKill, kTerm);
  auto restarted = web();
  restarted.started_at = kStarted + 2;
  known.inspected("ab", restarted, now);
  EXPECT_EQ(state(), State::kRunning);
}

TEST_F(KnownContainersTest, StopSignalThatIsIgnoredForLongIsForgotten) {
  known.inspected("ab", web(), now);
  heard(Kind::kKill, kTerm);
  now += 59s;
  known.inspected("ab", web(), now);
  EXPECT_EQ(state(), State::kStopping);
  now += 1s;
  known.inspected("ab", web(), now);
  EXPECT_EQ(state(), State::kRunning);
}

TEST_F(KnownContainersTest, PausedIsPausedWhateverTheSignal) {
  known.inspected("ab", web(State::kPaused), now);
  heard(Kind::kKill, kTerm);
  EXPECT_EQ(state(), State::kPaused);
  known.inspected("ab", web(), now);
  EXPECT_EQ(state(), State::kStopping);
}

TEST_F(KnownContainersTest, DeathTellsByItself) {
  known.inspected("ab", web(), now);
  EXPECT_EQ(heard(Kind::kDie), Next::kDoubt);
  EXPECT_EQ(state(), State::kAway);
}

TEST_F(KnownContainersTest, SignalOfTheDeadIsForgotten) {
  known.inspected("ab", web(), now);
  heard(Kind::kKill, kTerm);
  heard(Kind::kDie);
  known.inspected("ab", web(), now);
  EXPECT_EQ(state(), State::kRunning);
  heard(Kind::kKill, kTerm);
  known.inspected("ab", web(State::kAway), now);
  known.inspected("ab", web(), now);
  EXPECT_EQ(state(), State::kRunning);
}

TEST_F(KnownContainersTest, DeathOfAnEarlierLifeIsLookedInto) {
  known.inspected("ab", web(), now);
  EXPECT_EQ(heard(Kind::kDie, 0, kStarted - 1), Next::kInspect);
  EXPECT_EQ(state(), State::kRunning);
  EXPECT_EQ(heard(Kind::kDie, 0, 0), Next::kDoubt) << "an event without a time is taken as new";
  EXPECT_EQ(state(), State::kAway);
}

TEST_F(KnownContainersTest, ChangesAreInspected) {
  EXPECT_EQ(heard(Kind::kChange), Next::kInspect);
  EXPECT_EQ(heard(Kind::kDie), Next::kInspect);
  EXPECT_EQ(heard(Kind::kOther), Next::kNothing);
  EXPECT_TRUE(known.containers().empty());
}

TEST_F(KnownContainersTest, NetworksOfThoseThatDoNotRunCanWait) {
  EXPECT_EQ(heard(Kind::kNetwork), Next::kDoubt);
  known.inspected("ab", web(State::kAway), now);
  EXPECT_EQ(heard(Kind::kNetwork), Next::kDoubt);
  known.inspected("ab", web(), now);
  EXPECT_EQ(heard(Kind::kNetwork), Next::kInspect);
}

TEST_F(KnownContainersTest, WhatIsNotListedIsInspectedToo) {
  known.inspected("ab", web(), now);
  EXPECT_EQ(known.to_inspect({"cd", "ef"}), (std::set<std::string>{"ab", "cd", "ef"}));
}

}  // namespace
}  // namespace ambbpf
