// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "userspace/proxy/highest.h"

namespace ambbpf {
namespace {

using Entries = std::vector<std::pair<std::uint64_t, int>>;

TEST(Highest, AreKeptInOrderAndNoMoreThanAskedFor) {
  std::vector<int> numbers(1000);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::ranges::shuffle(numbers, std::mt19937(1));
  Highest<int> highest(3);
  for (const int number : numbers) highest.offer(static_cast<std::uint64_t>(number), -number);
  EXPECT_EQ(highest.take(), (Entries{{999, -999}, {998, -998}, {997, -997}}));
  EXPECT_EQ(highest.take(), Entries());
}

TEST(Highest, OfFewAreAll) {
  Highest<int> highest(100);
  for (const int key : {2, 7, 5}) highest.offer(static_cast<std::uint64_t>(key), key);
  EXPECT_EQ(highest.take(), (Entries{{7, 7}, {5, 5}, {2, 2}}));
}

TEST(Highest, OfEqualKeysTheFirstStay) {
  Highest<int> highest(1);
  for (const int value : {1, 2, 3}) highest.offer(0, value);
  EXPECT_EQ(highest.take(), (Entries{{0, 1}}));
}

TEST(Highest, CanBeNone) {
  Highest<int> highest(0);
  highest.offer(1, 1);
  EXPECT_EQ(highest.take(), Entries());
}

}  // namespace
}  // namespace ambbpf
