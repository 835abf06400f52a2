// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/roll_call.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ambbpf {
namespace {

using namespace std::chrono_literals;

// As the relay does it: who has been called goes to the end of the line.
Clock::duration longest_pause_between_calls(std::size_t connections, Clock::duration round) {
  const auto turn = roll_call_turn(connections, round);
  std::vector<Clock::duration> called_at(connections);
  Clock::duration now{};
  Clock::duration longest{};
  std::size_t next = 0;
  for (int turns = 0; turns < 100; ++turns, now += turn.pause) {
    for (std::size_t calls = 0; calls < turn.calls; ++calls, ++next) {
      auto& last = called_at[next % connections];
      if (next >= connections) longest = std::max(longest, now - last);
      last = now;
    }
  }
  return longest;
}

TEST(RollCall, LooksAtEachInEveryRoundHoweverManyThereAre) {
  for (std::size_t connections = 1; connections <= 1000; ++connections)
    ASSERT_LE(longest_pause_between_calls(connections, 5s), 5s) << connections;
}

TEST(RollCall, LooksAtFewInATurn) {
  for (const std::size_t connections : {1U, 64U, 65U, 100'000U, 1'000'000U})
    EXPECT_LE(roll_call_turn(connections, 5s).calls, 64U) << connections;
}

}  // namespace
}  // namespace ambbpf
