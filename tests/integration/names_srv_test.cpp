// SPDX-License-Identifier: Apache-2.0
// SRV records as endpoints, with a real DNS server.
#include "tests/integration/names.h"

namespace ambbpf::test {
namespace {

const SrvName kRedis{"_redis._tcp.example"};

// For dnsmasq: target, port, priority, weight.
std::string record(const std::string& rest) { return "--srv-host=_redis._tcp.example," + rest; }

std::vector<std::string> lines_of(const FollowedSource& source) {
  std::vector<std::string> lines;
  if (source.sets.empty()) return lines;
  for (const auto& endpoint : source.last()) {
    auto line = to_string(endpoint.address) + " as " + endpoint.found_as;
    for (const auto& [name, value] : endpoint.attributes) line += " " + name + "=" + value;
    lines.push_back(line);
  }
  return lines;
}

TEST_F(NamesInDns, OfServicesHavePortWeightAndPriority) {
  dns.hosts({"127.0.0.2 one.example", "127.0.0.3 two.example", "127.0.0.4 two.example"});
  dns.start({record("one.example,6379,10,3"), record("two.example,6380,20,0")});
  const auto& redis = follow(kRedis);
  ASSERT_TRUE(until([&] { return redis.is(State::kFollowing); }));
  ASSERT_EQ(lines_of(redis).size(), 3U);
  EXPECT_EQ(lines_of(redis)[0],
            "127.0.0.2:6379 as _redis._tcp.example one.example:6379 weight=3 priority=10");
  EXPECT_EQ(redis.addresses(), (Addresses{"127.0.0.2:6379", "127.0.0.3:6380", "127.0.0.4:6380"}));
  for (std::size_t i = 1; i < 3; ++i) {
    EXPECT_NE(
        lines_of(redis)[i].find(" as _redis._tcp.example two.example:6380 weight=1 priority=20"),
        std::string::npos)
        << lines_of(redis)[i];
  }
  EXPECT_EQ(redis.status().kind, "srv");
  EXPECT_EQ(redis.status().from, "_redis._tcp.example");
  EXPECT_EQ(redis.status().endpoints, 3U);
  EXPECT_EQ(redis.sets.size(), 1U) << "half of it was published";
}

TEST_F(NamesInDns, OfServicesAreFollowed) {
  dns.hosts({"127.0.0.2 one.example", "127.0.0.3 two.example"});
  dns.start({record("one.example,6379")});
  const auto& redis = follow(kRedis);
  ASSERT_TRUE(until_set_is(redis, {"127.0.0.2:6379"}));
  dns.start({record("two.example,6380")});
  ASSERT_TRUE(until_set_is(redis, {"127.0.0.3:6380"}));
  for (const auto& set : redis.sets) EXPECT_EQ(set.size(), 1U);
  dns.hosts({"127.0.0.2 one.example", "127.0.0.5 two.example"});
  ASSERT_TRUE(until_set_is(redis, {"127.0.0.5:6380"}));
}

TEST_F(NamesInDns, OfServicesKeepWhatIsKnownWhileNobodyAnswers) {
  dns.hosts({"127.0.0.2 one.example", "127.0.0.3 two.example"});
  dns.start({record("one.example,6379"), record("two.example,6379")});
  const auto& redis = follow(kRedis);
  const Addresses both{"127.0.0.2:6379", "127.0.0.3:6379"};
  ASSERT_TRUE(until_set_is(redis, both));
  dns.stop();
  ASSERT_TRUE(until([&] { return redis.is(State::kFailing); }));
  ASSERT_TRUE(until([&] { return redis.status().failures >= 6; }));
  EXPECT_EQ(redis.addresses(), both);
  EXPECT_EQ(redis.status().endpoints, 2U);
  dns.start();
  EXPECT_TRUE(until([&] { return redis.is(State::kFollowing); }));
}

TEST_F(NamesInDns, OfServicesKeepWhatIsKnownWhenTheirRecordsHaveGone) {
  dns.hosts({"127.0.0.2 one.example"});
  dns.start({record("one.example,6379")});
  const auto& redis = follow(kRedis);
  ASSERT_TRUE(until_set_is(redis, {"127.0.0.2:6379"}));
  dns.start({});
  ASSERT_TRUE(until([&] { return redis.is(State::kFailing); }));
  EXPECT_EQ(redis.addresses(), Addresses{"127.0.0.2:6379"});
}

TEST_F(NamesInDns, OfServicesDoWithoutATargetThatDoesNotResolve) {
  dns.hosts({"127.0.0.2 one.example"});
  dns.start({record("one.example,6379"), record("none.example,6379")});
  const auto& redis = follow(kRedis);
  ASSERT_TRUE(until_set_is(redis, {"127.0.0.2:6379"}));
  EXPECT_TRUE(redis.is(State::kFailing));
  EXPECT_EQ(redis.status().last_error, "resolve none.example: there is no such name");
  dns.hosts({"127.0.0.2 one.example", "127.0.0.3 none.example"});
  EXPECT_TRUE(until_set_is(redis, {"127.0.0.2:6379", "127.0.0.3:6379"}));
  EXPECT_TRUE(until([&] { return redis.is(State::kFollowing); }));
}

TEST_F(NamesInDns, OfServicesKeepWhatIsKnownWhereNoNewTargetResolves) {
  dns.hosts({"127.0.0.2 one.example"});
  dns.start({record("one.example,6379")});
  const auto& redis = follow(kRedis);
  ASSERT_TRUE(until_set_is(redis, {"127.0.0.2:6379"}));
  dns.start({record("none.example,6379")});
  ASSERT_TRUE(until([&] { return redis.status().last_error.find("none.") != std::string::npos; }));
  EXPECT_EQ(redis.addresses(), Addresses{"127.0.0.2:6379"});
}

TEST_F(NamesInDns, MaySayThatThereIsNoSuchService) {
  dns.hosts({"127.0.0.2 one.example"});
  dns.start({record("one.example,6379")});
  const auto& redis = follow(kRedis);
  ASSERT_TRUE(until_set_is(redis, {"127.0.0.2:6379"}));
  dns.start({"--srv-host=_redis._tcp.example"});
  ASSERT_TRUE(until_set_is(redis, {}));
  EXPECT_TRUE(redis.is(State::kFollowing));
  EXPECT_NE(redis.status().note.find("no such service"), std::string::npos);
}

}  // namespace
}  // namespace ambbpf::test
