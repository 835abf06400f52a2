// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/peers.h"
#include "userspace/dataplane/connection.h"
#include "userspace/dataplane/recheck_timers.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;

class RecheckTimersTest : public testing::Test {
 protected:
  struct Recheck {
    Direction* direction;
    Clock::time_point at;
  };

  static Direction direction() {
    return {.connection = nullptr, .source = kClient, .pump = Pump(Pump::Method::kCopy)};
  }
  // Until nothing is scheduled any more.
  void run() {
    io.run_for(test::kTimeout);
    ASSERT_TRUE(io.stopped());
  }
  std::vector<Direction*> rechecked() const {
    std::vector<Direction*> all;
    for (const auto& recheck : rechecks) all.push_back(recheck.direction);
    return all;
  }

  asio::io_context io;
  std::vector<Recheck> rechecks;
  std::function<void(Direction&)> then = [](Direction&) {};
  RecheckTimers timers{io, [this](Direction& direction) {
                         rechecks.push_back({&direction, Clock::now()});
                         then(direction);
                       }};
  Direction first = direction();
  Direction second = direction();
  Direction third = direction();
  const Clock::time_point start = Clock::now();
};

TEST_F(RecheckTimersTest, FireInTheOrderOfTheirTimesAndNotBeforeThem) {
  timers.schedule(second, start + 20ms);
  timers.schedule(third, start + 30ms);
  timers.schedule(first, start + 10ms);
  run();
  ASSERT_EQ(rechecked(), (std::vector{&first, &second, &third}));
  EXPECT_GE(rechecks[0].at, start + 10ms);
  EXPECT_GE(rechecks[1].at, start + 20ms);
  EXPECT_GE(rechecks[2].at, start + 30ms);
}

TEST_F(RecheckTimersTest, TheEarlierOfTwoTimesStands) {
  timers.schedule(first, start + 10ms);
  timers.schedule(first, start + 1h);
  timers.schedule(second, start + 1h);
  timers.schedule(second, start + 20ms);
  EXPECT_EQ(first.due, start + 10ms);
  EXPECT_EQ(second.due, start + 20ms);
  run();  // which is over before the hour is
  EXPECT_EQ(rechecked(), (std::vector{&first, &second}));
  EXPECT_EQ(first.due, Direction::kNotDue);
}

TEST_F(RecheckTimersTest, WhatIsCancelledDoesNotFire) {
  timers.schedule(first, start + 1ms);
  timers.schedule(second, start + 2ms);
  timers.cancel(first);
  timers.cancel(third);  // was not scheduled
  run();
  EXPECT_EQ(rechecked(), std::vector{&second});
  EXPECT_EQ(first.due, Direction::kNotDue);
}

// As when a recheck closes the connection, whose other direction is due as well.
TEST_F(RecheckTimersTest, ARecheckMayCancelWhatIsDueAtTheSameTime) {
  then = [&](Direction& direction) { timers.cancel(&direction == &first ? second : first); };
  timers.schedule(first, start);
  timers.schedule(second, start);
  run();
  EXPECT_EQ(rechecks.size(), 1U);
}

TEST_F(RecheckTimersTest, ARecheckMayScheduleTheNextOne) {
  then = [&](Direction& direction) {
    if (rechecks.size() < 3) timers.schedule(direction, Clock::now() + 1ms);
  };
  timers.schedule(first, start);
  run();
  EXPECT_EQ(rechecked(), (std::vector{&first, &first, &first}));
}

TEST_F(RecheckTimersTest, WhatIsScheduledLaterMayBeDueEarlier) {
  then = [&](Direction& direction) {
    if (&direction == &first) timers.schedule(third, start);  // long past
  };
  timers.schedule(second, start + 50ms);
  timers.schedule(first, start + 10ms);
  run();
  EXPECT_EQ(rechecked(), (std::vector{&first, &third, &second}));
}

}  // namespace
}  // namespace ambbpf
