// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/peers.h"
#include "userspace/support/log.h"

namespace ambbpf::test {
namespace {

// The workers do so while a configuration is put in force. ThreadSanitizer looks on.
TEST(Log, MayChangeItsLevelWhileOthersLog) {
  const auto level = spdlog::default_logger()->level();
  std::atomic<bool> enough = false;
  std::atomic<int> asked = 0;
  const auto other = in_background([&] {
    while (!enough) {
      log::debug("a line that nobody wants");
      ++asked;
    }
  });
  ASSERT_TRUE(eventually([&] { return asked > 0; }));
  for (const auto* name : {"error", "warn", "error", "info", "error"}) {
    EXPECT_TRUE(log::set_up(name));
    EXPECT_EQ(spdlog::should_log(spdlog::level::warn), std::string(name) != "error");
  }
  EXPECT_FALSE(log::set_up("loud"));
  enough = true;
  other.wait();
  spdlog::default_logger()->set_level(level);
}

}  // namespace
}  // namespace ambbpf::test
