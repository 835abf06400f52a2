// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/controller/descriptor_budget.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {
namespace {

TEST(DescriptorBudget, KeepsSomeBackForTheProcessAndItsSources) {
  EXPECT_EQ(divide_descriptors(1024).connections_below, 1024 - 128);
  EXPECT_EQ(divide_descriptors(524288).connections_below, 524288 - 128);
  EXPECT_EQ(divide_descriptors(RLIM_INFINITY).connections_below, kNoDescriptorLimit - 128);
}

TEST(DescriptorBudget, KeepsBackNoMoreThanAQuarter) {
  EXPECT_EQ(divide_descriptors(64).connections_below, 48);
  EXPECT_EQ(divide_descriptors(256).connections_below, 192);
}

TEST(DescriptorBudget, LeavesAQuarterOfTheRestToConnectionsAlone) {
  EXPECT_EQ(divide_descriptors(1024).pipes_below, 672);
}

TEST(DescriptorBudget, OneOfSeveralServicesGetsHalfOfWhatThereIs) {
  const DescriptorBudget budget{.connections_below = 900, .pipes_below = 0};
  EXPECT_EQ(connections_for_each(budget, 100, 1), 400U);
  EXPECT_EQ(connections_for_each(budget, 100, 2), 200U);
  EXPECT_EQ(connections_for_each(budget, 100, 7), 200U);
  EXPECT_EQ(connections_for_each(budget, 2000, 1), 1U);
}

TEST(DescriptorBudget, KnowsHowManyAreInUse) {
  const auto before = descriptors_in_use();
  const UniqueFd another(::dup(0));
  EXPECT_EQ(descriptors_in_use(), before + 1);
}

}  // namespace
}  // namespace ambbpf
