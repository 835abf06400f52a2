// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/dataplane/standstill.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;

const Clock::time_point kStart{1h};

TEST(Standstill, BeginsWhenACountIsFirstSeen) {
  Standstill standstill;
  EXPECT_EQ(standstill.of(7, kStart), 0s);
  EXPECT_EQ(standstill.of(7, kStart + 4s), 4s);
  EXPECT_EQ(standstill.of(7, kStart + 6s), 6s);
}

// An early end of stream is doubted; bytes come again; the target stands still for longer than a
// doubt may last; the next early end is a new doubt.
TEST(Standstill, BeginsAnewWhenTheCountHasMovedHoweverLongNobodyLooked) {
  Standstill standstill;
  EXPECT_EQ(standstill.of(1'000, kStart), 0s);
  EXPECT_EQ(standstill.of(2'000, kStart + 5s), 0s);
  EXPECT_EQ(standstill.of(2'000, kStart + 8s), 3s);
}

TEST(Standstill, BeginsAnewWhenTheCountGoesDown) {
  Standstill standstill;
  EXPECT_EQ(standstill.of(100, kStart), 0s);
  EXPECT_EQ(standstill.of(40, kStart + 2s), 0s);
}

TEST(Standstill, BeginsAnewOnceForgotten) {
  Standstill standstill;
  EXPECT_EQ(standstill.of(7, kStart), 0s);
  standstill.forget();
  EXPECT_EQ(standstill.of(7, kStart + 9s), 0s);
  EXPECT_EQ(standstill.of(7, kStart + 10s), 1s);
}

}  // namespace
}  // namespace ambbpf
