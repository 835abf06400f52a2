// SPDX-License-Identifier: Apache-2.0
// The self-test judges the engine, not the machine's settings.
#include <gtest/gtest.h>

#include <system_error>

#include "tests/support/own_network.h"
#include "tests/support/peers.h"
#include "userspace/dataplane/probe.h"

namespace ambbpf {
namespace {

EngineTrial try_with_tiny_buffers(Engine engine) {
  static constexpr auto kTiny = "4096 8192 8192";
  return test::in_background([engine] {
           test::enter_own_network({{"tcp_rmem", kTiny}, {"tcp_wmem", kTiny}});
           return try_engine(engine);
         })
      .get();
}

TEST(SelfTest, PassesWithTinyBuffers) {
  try {
    for (const auto engine : {Engine::kSockmap, Engine::kSplice, Engine::kCopy}) {
      const auto trial = try_with_tiny_buffers(engine);
      if (!trial.missing_capabilities.empty()) continue;
      EXPECT_TRUE(trial.usable()) << name_of(engine) << ": " << trial.refusal;
    }
  } catch (const std::system_error& refused) {
    GTEST_SKIP() << refused.what();
  }
}

}  // namespace
}  // namespace ambbpf
