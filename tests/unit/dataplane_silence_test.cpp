// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/dataplane/peer_watch.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;

constexpr KeepalivePolicy kTimeout{.longest = 30s};

// A socket whose peer was heard and asked at known times, as seconds since the start.
class LongSilence : public testing::Test {
 protected:
  void heard_at(std::chrono::milliseconds time) { heard_ = time; }

  bool is_for_good(std::chrono::milliseconds now, bool awaits_answer) {
    return silence_.is_for_good(now - heard_, awaits_answer, Clock::time_point(1h + now), kTimeout);
  }

 private:
  std::chrono::milliseconds heard_{};
  Silence silence_;
};

TEST_F(LongSilence, IsForGoodWhereAQuestionStaysUnanswered) {
  EXPECT_FALSE(is_for_good(5s, false));
  EXPECT_FALSE(is_for_good(10s, true));
  EXPECT_FALSE(is_for_good(20s, true));
  EXPECT_FALSE(is_for_good(29999ms, true));
  EXPECT_TRUE(is_for_good(30s, true));
}

TEST_F(LongSilence, IsNoneWhereNothingIsAsked) {
  for (auto now = 0s; now < 300s; now += 5s) EXPECT_FALSE(is_for_good(now, false));
}

TEST_F(LongSilence, IsNotForGoodAtTheMomentOfAQuestion) {
  for (auto now = 0s; now < 100s; now += 5s) EXPECT_FALSE(is_for_good(now, false));
  EXPECT_FALSE(is_for_good(100s, true));
  EXPECT_FALSE(is_for_good(105s, true));
  EXPECT_TRUE(is_for_good(110s, true));
}

// Each look happens to fall between a question and its answer.
TEST_F(LongSilence, IsNoneWhereEachQuestionIsAnsweredHoweverRarelyItIsAsked) {
  for (auto asked = 100s; asked < 1000s; asked += 100s) {
    EXPECT_FALSE(is_for_good(asked, true));
    heard_at(asked + 1ms);
    for (auto now = asked + 5s; now < asked + 100s; now += 5s)
      EXPECT_FALSE(is_for_good(now, false)) << now.count();
  }
}

// The kernel's clock ticks every 10 ms at worst, and the look may have been held up.
TEST_F(LongSilence, IsNoneWhereTheAnswerSeemsToHaveComeShortlyBeforeTheQuestion) {
  EXPECT_FALSE(is_for_good(100s, true));
  heard_at(100s - 20ms);
  for (auto now = 105s; now < 200s; now += 5s) EXPECT_FALSE(is_for_good(now, false));
}

TEST_F(LongSilence, BeginsAnewWithEachSignOfLife) {
  EXPECT_FALSE(is_for_good(20s, true));
  heard_at(22s);
  EXPECT_FALSE(is_for_good(25s, true));
  EXPECT_FALSE(is_for_good(50s, true));
  EXPECT_TRUE(is_for_good(52s, true));
}

}  // namespace
}  // namespace ambbpf
