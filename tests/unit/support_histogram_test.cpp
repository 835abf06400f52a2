// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <thread>

#include "userspace/support/histogram.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr std::array<std::chrono::microseconds, 2> kBounds{10us, 1ms};

TEST(Histogram, PutsATimeIntoTheFirstBucketThatItIsNotTooLongFor) {
  Histogram histogram(kBounds);
  for (const std::chrono::nanoseconds took : {0ns, 9'999ns, 10'000ns, 10'001ns, 1'000'000ns})
    histogram.observe(took);
  histogram.observe(2h);
  const auto counts = histogram.counts();
  EXPECT_THAT(counts.bounds_us, ElementsAre(10, 1'000));
  EXPECT_THAT(counts.in_buckets, ElementsAre(3, 2, 1));
  EXPECT_EQ(counts.sum_us, 0 + 9 + 10 + 10 + 1'000 + 7'200'000'000);
}

TEST(Histogram, TakesATimeThatRanBackwardsForNone) {
  Histogram histogram(kBounds);
  histogram.observe(-5s);
  EXPECT_THAT(histogram.counts().in_buckets, ElementsAre(1, 0, 0));
  EXPECT_EQ(histogram.counts().sum_us, 0U);
}

TEST(Histogram, LosesNothingThatSeveralThreadsCount) {
  Histogram histogram(kBounds);
  const auto count = [&histogram] {
    for (int i = 0; i < 10'000; ++i) histogram.observe(20us);
  };
  std::thread other(count);
  count();
  other.join();
  EXPECT_THAT(histogram.counts().in_buckets, ElementsAre(0, 20'000, 0));
  EXPECT_EQ(histogram.counts().sum_us, 400'000U);
}

}  // namespace
}  // namespace ambbpf
