// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/proxy/passive_health.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

struct LearntFromAnEnd {
  std::uint64_t to_backend;
  std::uint64_t to_client;
  EndReason reason;
  bool backend_was_first;
  Clock::duration lasted;
  std::optional<BackendOutcome> learnt;
};

TEST(PassiveHealth, LearnsFromTheEndsOfConnections) {
  constexpr auto kAnswered = BackendOutcome::kAnswered;
  constexpr auto kEarly = BackendOutcome::kEarlyReset;
  const LearntFromAnEnd table[] = {
      {9, 0, EndReason::kBackendReset, false, 1ms, kEarly},
      {9, 0, EndReason::kBackendReset, false, 1h, kEarly},
      {0, 0, EndReason::kBackendReset, false, 1ms, {}},  // nobody has asked anything
      {9, 1, EndReason::kBackendReset, false, 1ms, kAnswered},
      {0, 1, EndReason::kFinished, true, 1ms, kAnswered},
      {9, 0, EndReason::kFinished, true, 999ms, kEarly},
      {9, 0, EndReason::kFinished, true, 1s, {}},    // a time of its own
      {9, 0, EndReason::kFinished, false, 1ms, {}},  // one way
      {0, 0, EndReason::kFinished, true, 1ms, {}},
      {9, 0, EndReason::kClientReset, false, 1ms, {}},
      {9, 0, EndReason::kBackendVanished, false, 30s, {}},
      {9, 0, EndReason::kStopped, false, 1ms, {}},
      {9, 0, EndReason::kEndpointRemoved, false, 1ms, {}},
  };
  for (const auto& row : table) {
    const ConnectionEnd end{.bytes_to_backend = row.to_backend,
                            .bytes_to_client = row.to_client,
                            .reason = row.reason,
                            .backend_was_first = row.backend_was_first,
                            .error = {}};
    EXPECT_EQ(learnt_from(end, row.lasted), row.learnt)
        << row.to_backend << ' ' << row.to_client << ' ' << name_of(row.reason);
  }
}

}  // namespace
}  // namespace ambbpf::test
