// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/cli/descriptor_budget.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {
namespace {

TEST(DescriptorBudget, KeepsSomeBackForTheProcessAndItsSources) {
  EXPECT_EQ(divide_descriptors(1024, 1).connections_below, 1024 - 68);
  EXPECT_EQ(divide_descriptors(1024, 10).connections_below, 1024 - 104);
  EXPECT_EQ(divide_descriptors(524288, 1).connections_below, 524288 - 68);
  EXPECT_EQ(divide_descriptors(RLIM_INFINITY, 1).connections_below, kNoDescriptorLimit - 68);
}

TEST(DescriptorBudget, KeepsBackNoMoreThanAQuarter) {
  EXPECT_EQ(divide_descriptors(64, 1).connections_below, 48);
  EXPECT_EQ(divide_descriptors(1024, 512).connections_below, 768);
}

TEST(DescriptorBudget, LeavesAQuarterOfTheRestToConnectionsAlone) {
  EXPECT_EQ(divide_descriptors(1024, 1).pipes_below, 717);
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
