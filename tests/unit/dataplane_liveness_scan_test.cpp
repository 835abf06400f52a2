// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "userspace/dataplane/liveness_scan.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;

// As the relay does it: who has been called goes to the end of the line.
Clock::duration longest_pause_between_checks(std::size_t connections, Clock::duration round) {
  const auto turn = liveness_scan_step(connections, round);
  std::vector<Clock::duration> called_at(connections);
  Clock::duration now{};
  Clock::duration longest{};
  std::size_t next = 0;
  for (int turns = 0; turns < 100; ++turns, now += turn.pause) {
    for (std::size_t checks = 0; checks < turn.checks; ++checks, ++next) {
      auto& last = called_at[next % connections];
      if (next >= connections) longest = std::max(longest, now - last);
      last = now;
    }
  }
  return longest;
}

TEST(LivenessScan, LooksAtEachInEveryRoundHoweverManyThereAre) {
  for (std::size_t connections = 1; connections <= 1000; ++connections)
    ASSERT_LE(longest_pause_between_checks(connections, 5s), 5s) << connections;
}

TEST(LivenessScan, LooksAtFewInATurn) {
  for (const std::size_t connections : {1U, 64U, 65U, 100'000U, 1'000'000U})
    EXPECT_LE(liveness_scan_step(connections, 5s).checks, 64U) << connections;
}

}  // namespace
}  // namespace ambbpf
