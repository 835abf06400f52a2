// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/discovery/srv_source.h"

namespace ambbpf::test {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;  // weight, priority

// Of records of these priorities and weights.
Pairs attributes_for(std::initializer_list<std::pair<unsigned, unsigned>> records) {
  std::vector<SrvRecord> all;
  for (const auto& [priority, weight] : records)
    all.push_back({.priority = static_cast<std::uint16_t>(priority),
                   .weight = static_cast<std::uint16_t>(weight),
                   .port = 1,
                   .target = "a"});
  Pairs pairs;
  for (const auto& attributes : attributes_of(all)) {
    EXPECT_EQ(attributes.at(0).first, "weight");
    EXPECT_EQ(attributes.at(1).first, "priority");
    pairs.emplace_back(attributes[0].second, attributes[1].second);
  }
  return pairs;
}

TEST(SrvAttributes, AreThoseOfTheRecords) {
  EXPECT_EQ(attributes_for({{10, 3}, {20, 1000}}), (Pairs{{"3", "10"}, {"1000", "20"}}));
  EXPECT_TRUE(attributes_for({}).empty());
}

TEST(SrvAttributes, LeaveAWeightOfZeroItsChance) {
  EXPECT_EQ(attributes_for({{0, 0}, {0, 0}}), (Pairs{{"1", "0"}, {"1", "0"}}));
  EXPECT_EQ(attributes_for({{0, 0}, {0, 20}}), (Pairs{{"1", "0"}, {"20", "0"}}));
}

TEST(SrvAttributes, BeyondWhatEndpointsHaveKeepProportionAndOrder) {
  EXPECT_EQ(attributes_for({{0, 65535}, {0, 32768}, {0, 1}}),
            (Pairs{{"1000", "0"}, {"500", "0"}, {"1", "0"}}));
  EXPECT_EQ(attributes_for({{65535, 1}, {7, 1}, {1001, 1}, {7, 2}}),
            (Pairs{{"1", "2"}, {"1", "0"}, {"1", "1"}, {"2", "0"}}));
  EXPECT_EQ(attributes_for({{1000, 1}, {7, 1}}), (Pairs{{"1", "1000"}, {"1", "7"}}));
}

TEST(SrvName, IsReadAsItIsWritten) {
  EXPECT_EQ(parse_srv_name("_redis._tcp.example.org")->name, "_redis._tcp.example.org");
  EXPECT_EQ(parse_srv_name("redis.service.consul")->name, "redis.service.consul");
  for (const auto* text : {"", "10.0.0.1", "[::1]", "_redis._tcp.example.org:6379", "a b", "a/b"})
    EXPECT_FALSE(parse_srv_name(text)) << text;
}

}  // namespace
}  // namespace ambbpf::test
