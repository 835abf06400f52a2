// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/direct/table.h"

namespace ambbpf {
namespace {

TEST(FreeRanges, AreTakenFromTheFront) {
  FreeRanges free(10);
  EXPECT_EQ(free.take(3), 0U);
  EXPECT_EQ(free.take(7), 3U);
  EXPECT_EQ(free.take(1), std::nullopt);
}

TEST(FreeRanges, GrowTogetherAgainInAnyOrder) {
  FreeRanges free(9);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(free.take(3));
  free.give_back(3, 3);
  EXPECT_EQ(free.take(4), std::nullopt) << "there are three in a row";
  free.give_back(0, 3);
  free.give_back(6, 3);
  EXPECT_EQ(free.take(9), 0U);
}

TEST(FreeRanges, NothingGivenBackIsNothing) {
  FreeRanges free(2);
  free.give_back(0, 0);
  EXPECT_EQ(free.take(2), 0U);
}

}  // namespace
}  // namespace ambbpf
