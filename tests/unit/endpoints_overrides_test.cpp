// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "userspace/endpoints/overrides.h"
#include "userspace/endpoints/service.h"

namespace ambbpf::test {
namespace {

const auto first = parse_address("127.0.0.1:1").value();
const auto second = parse_address("127.0.0.1:2").value();

class Overridden : public testing::Test {
 protected:
  Overridden() { publish({{first, "one"}, {second, "two"}}); }

  std::set<tcp::endpoint> picked() {
    std::set<tcp::endpoint> all;
    for (int i = 0; i < 10; ++i)
      if (const auto backend = service.pick({})) all.insert(backend->address());
    return all;
  }

  Service service{"web"};
  Publish publish = service.way_in(service.add_source());
};

TEST(Overrides, OfOneAndOfAllCountTogether) {
  Overrides overrides;
  EXPECT_FALSE(overrides.of(first));
  overrides.each[first] = {.weight = 3, .by = "root"};
  EXPECT_EQ(overrides.of(first)->weight, 3U);
  EXPECT_FALSE(overrides.of(second));
  overrides.all = Override{.is_drained = true, .by = "ann"};
  EXPECT_TRUE(overrides.of(first)->is_drained);
  EXPECT_EQ(overrides.of(first)->weight, 3U);
  EXPECT_EQ(overrides.of(first)->by, "ann");
  EXPECT_TRUE(overrides.of(second)->is_drained);
}

TEST_F(Overridden, ADrainedEndpointIsNotPicked) {
  service.override_by({.each = {{first, {.is_drained = true}}}});
  EXPECT_EQ(picked(), std::set{second});
  service.override_by({});
  EXPECT_EQ(picked(), (std::set{first, second}));
}

TEST_F(Overridden, NotEvenWhereAllOthersAreEjected) {
  service.override_by({.each = {{first, {.is_drained = true}}}});
  service.report(*service.pick({}), BackendOutcome::kConnectFailed, "refused");
  EXPECT_EQ(picked(), std::set{second});
}

TEST_F(Overridden, OfADrainedServiceNobodyIsPickedAlsoNobodyWhoComes) {
  service.override_by({.all = Override{.is_drained = true}});
  EXPECT_EQ(service.pick({}), nullptr);
  publish({{first, "one"}, {second, "two"}, {parse_address("127.0.0.1:3").value(), "three"}});
  EXPECT_EQ(service.pick({}), nullptr);
}

TEST_F(Overridden, AnEndpointThatComesBackIsStillDrained) {
  service.override_by({.each = {{first, {.is_drained = true}}}});
  publish({{second, "two"}});
  publish({{first, "one"}, {second, "two"}});
  EXPECT_EQ(picked(), std::set{second});
}

TEST_F(Overridden, AWeightCountsInPlaceOfTheSources) {
  publish({{first, "one", {{"weight", "5"}}}, {second, "two"}});
  service.override_by({.each = {{first, {.weight = 0}}}});
  EXPECT_EQ(picked(), std::set{second});
  service.override_by({.each = {{second, {.weight = 0}}}});
  EXPECT_EQ(picked(), std::set{first});
}

}  // namespace
}  // namespace ambbpf::test
