// SPDX-License-Identifier: Apache-2.0
// What both etcd sources promise while their etcd is well, against a real one.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/integration/etcd_follow.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

class EtcdFollowing : public ::testing::TestWithParam<EtcdApi> {
 protected:
  Follow follow() { return Follow(GetParam(), options_for({etcd.url()})); }

  EtcdProcess etcd;
  Keys keys{etcd, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Api, EtcdFollowing, ::testing::Values(EtcdApi::kV2, EtcdApi::kV3),
                         [](const auto& api) { return api.param == EtcdApi::kV2 ? "v2" : "v3"; });

TEST_P(EtcdFollowing, ListsWhatIsThere) {
  keys.put("/services/web/web-2", "10.0.0.2:80");
  keys.put("/services/web/web-1", R"({ "port": 49155, "host": "10.0.0.1", "weight": 3 })");
  keys.put("/services/webby/other", "10.0.0.3:80");
  auto web = follow();
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:49155", "10.0.0.2:80"}));
  EXPECT_EQ(web.last()[0].found_as, "/services/web/web-1");
  EXPECT_EQ(web.last()[0].attributes, (EndpointAttributes{{"weight", "3"}}));
  EXPECT_EQ(web.status().state, SourceStatus::State::kFollowing);
  EXPECT_EQ(web.status().endpoints, 2U);
  EXPECT_TRUE(web.status().heard_at);
  EXPECT_EQ(web.status().last_error, "");
  EXPECT_EQ(web.status().from, etcd.url() + " /services/web");
}

TEST_P(EtcdFollowing, ServiceThatDoesNotExistYetIsFoundLater) {
  auto web = follow();
  ASSERT_TRUE(web.until_set_is({}));
  EXPECT_EQ(web.status().state, SourceStatus::State::kFollowing);
  keys.put("/services/web/web-1", "10.0.0.1:80");
  EXPECT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  EXPECT_EQ(web.status().lists, 1U);
}

TEST_P(EtcdFollowing, SetOfAnExistingKeyTakesEffect) {
  keys.put("/services/web/web-1", "10.0.0.1:80");
  auto web = follow();
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  keys.put("/services/web/web-1", "10.0.0.9:90");
  EXPECT_TRUE(web.until_set_is({"10.0.0.9:90"}));
}

TEST_P(EtcdFollowing, HeartbeatsOfTheSameValuePublishNothing) {
  auto web = follow();
  for (int i = 0; i < 5; ++i) keys.put("/services/web/web-1", "10.0.0.1:80", 60);
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  const auto publications = web.publications();
  for (int i = 0; i < 5; ++i) keys.put("/services/web/web-1", "10.0.0.1:80", 60);
  keys.put("/services/web/web-2", "10.0.0.2:80");
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80", "10.0.0.2:80"}));
  EXPECT_EQ(web.publications(), publications + 1);
}

TEST_P(EtcdFollowing, DeleteRemovesTheEndpoint) {
  keys.put("/services/web/web-1", "10.0.0.1:80");
  keys.put("/services/web/web-2", "10.0.0.2:80");
  auto web = follow();
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80", "10.0.0.2:80"}));
  keys.remove("/services/web/web-1");
  EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
}

TEST_P(EtcdFollowing, ExpireRemovesTheEndpoint) {
  keys.put("/services/web/web-1", "10.0.0.1:80", 1);
  keys.put("/services/web/web-2", "10.0.0.2:80");
  auto web = follow();
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80", "10.0.0.2:80"}));
  EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  EXPECT_EQ(web.status().lists, 1U) << "seen by watching";
}

TEST_P(EtcdFollowing, RecursiveDeleteRemovesAll) {
  for (const std::string from : {"/services/web", "/services"}) {
    keys.put("/services/web/web-1", "10.0.0.1:80");
    keys.put("/services/web/web-2", "10.0.0.2:80");
    auto web = follow();
    ASSERT_TRUE(web.until_set_is({"10.0.0.1:80", "10.0.0.2:80"}));
    keys.remove(from, true);
    ASSERT_TRUE(web.until_set_is({})) << from;
    keys.put("/services/web/web-3", "10.0.0.3:80");
    EXPECT_TRUE(web.until_set_is({"10.0.0.3:80"})) << from;
    keys.remove("/services/web/web-3");
  }
}

TEST_P(EtcdFollowing, BadValueHurtsNobodyElse) {
  keys.put("/services/web/good", "10.0.0.1:80");
  keys.put("/services/web/bad", "{ \"port\": , \"host\":  }\n");
  auto web = follow();
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  ASSERT_EQ(web.status().rejected.size(), 1U);
  EXPECT_EQ(web.status().rejected[0].key, "/services/web/bad");

  for (int i = 0; i < 3; ++i) keys.put("/services/web/bad", "{ \"port\": , \"host\":  }\n");
  keys.put("/services/web/good", "[]\x1b[31m");  // what was good is no more
  ASSERT_TRUE(web.until_set_is({}));
  EXPECT_EQ(web.status().rejected_total, 2U) << "a repeated value is rejected once";

  keys.put("/services/web/bad", "10.0.0.2:80");
  ASSERT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  ASSERT_EQ(web.status().rejected.size(), 1U);
  EXPECT_EQ(web.status().rejected[0].key, "/services/web/good");
}

TEST_P(EtcdFollowing, DeeperAndHiddenKeysAreNoEndpoints) {
  keys.put("/services/web/_hidden", "10.0.0.1:80");
  keys.put("/services/web/zone/deep", "10.0.0.2:80");
  auto web = follow();
  ASSERT_TRUE(web.until_set_is({}));
  keys.put("/services/web/_hidden2", "10.0.0.3:80");
  keys.put("/services/web/zone/deeper/still", "10.0.0.4:80");
  keys.remove("/services/web/zone", true);
  keys.put("/services/web/web-1", "10.0.0.5:80");
  ASSERT_TRUE(web.until_set_is({"10.0.0.5:80"}));
  EXPECT_EQ(web.publications(), 2U);
  EXPECT_EQ(web.status().rejected_total, 0U);
}

TEST_P(EtcdFollowing, OddKeyNamesAreFound) {
  const std::string service = R"(group/a b?c%"d&#+[é)";
  const std::string encoded = "group/a%20b%3Fc%25%22d%26%23%2B%5B%C3%A9";
  Follow odd(GetParam(), options_for({etcd.url()}), "/" + service + "/");
  ASSERT_TRUE(odd.until_set_is({}));
  const bool v2 = GetParam() == EtcdApi::kV2;
  const auto directory = "/services/" + (v2 ? encoded : service);
  keys.put(directory + (v2 ? "/x%0Ay" : "/x\ny"), "10.0.0.1:80");
  ASSERT_TRUE(odd.until_set_is({"10.0.0.1:80"}));
  EXPECT_EQ(odd.last()[0].found_as, R"(/services/group/a b?c%"d&#+[\xc3\xa9/x\ny)");
  ASSERT_TRUE(Follow(GetParam(), options_for({etcd.url()}), service).until_set_is({"10.0.0.1:80"}));
}

TEST_P(EtcdFollowing, ChangeIsInForceQuickly) {
  auto web = follow();
  ASSERT_TRUE(web.until_set_is({}));
  web.turn_for(200ms);  // the watch is under way
  const auto before = Clock::now();
  keys.put("/services/web/web-1", "10.0.0.1:80");
  const auto written = Clock::now();
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  const std::chrono::duration<double, std::milli> since_begun = Clock::now() - before;
  const std::chrono::duration<double, std::milli> since_written = Clock::now() - written;
  std::cout << "in force " << since_begun.count() << " ms after the write began, "
            << since_written.count() << " ms after etcd acknowledged it\n";
  EXPECT_LT(since_begun, 1s);
}

TEST_P(EtcdFollowing, QuietPrefixDoesNotFallBehind) {
  keys.put("/services/web/web-1", "10.0.0.1:80");
  auto options = options_for({etcd.url()});
  options.quiet_before_list = 1s;
  Follow web(GetParam(), options);
  ASSERT_TRUE(web.until([&] { return web.status().lists >= 3; }));
  EXPECT_EQ(web.publications(), 1U) << "the same set again is no news";
  EXPECT_EQ(web.status().failures, 0U);
  for (int i = 2; i <= 20; ++i) {  // some of these fall into a listing
    const auto address = "10.0.0." + std::to_string(i) + ":80";
    keys.put("/services/web/web-1", address);
    ASSERT_TRUE(web.until_set_is({address}));
    web.turn_for(i % 4 == 0 ? 990ms : 50ms);
  }
  EXPECT_EQ(web.publications(), 20U) << "and none is missed";
}

TEST_P(EtcdFollowing, DoubtListsAgainAtOnce) {
  keys.put("/services/web/web-1", "10.0.0.1:80");
  auto web = follow();
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  web.source().doubt();
  web.turn_for(1100ms);
  EXPECT_EQ(web.status().lists, 1U) << "no doubt in what was listed just now";
  for (int i = 0; i < 10; ++i) web.source().doubt();
  EXPECT_TRUE(web.until_listed_again());
  keys.put("/services/web/web-1", "10.0.0.2:80");
  EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  EXPECT_EQ(web.status().lists, 2U);
  EXPECT_EQ(web.publications(), 2U);
}

TEST_P(EtcdFollowing, EndsCleanlyAtAnyMoment) {
  keys.put("/services/web/web-1", "10.0.0.1:80");
  for (int turns = 0; turns < 40; ++turns) {  // the sanitizers judge
    auto web = follow();
    int left = turns;
    web.until([&] { return left-- == 0; });
  }
}

TEST(EtcdV2Following, DirectoryInPlaceOfAnEndpointRemovesIt) {
  EtcdProcess etcd;
  etcd.put_v2("/services/web/web-1", "10.0.0.1:80");
  etcd.put_v2("/services/web/web-2", "10.0.0.2:80");
  Follow web(EtcdApi::kV2, options_for({etcd.url()}));
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80", "10.0.0.2:80"}));
  ASSERT_EQ(call("PUT", etcd.url() + "/v2/keys/services/web/web-1", "dir=true").status, 200);
  EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
}

TEST(EtcdV2Following, TtlOfTheDirectoryItselfHurtsNobodyUntilItEnds) {
  EtcdProcess etcd;
  etcd.put_v2("/services/web/web-1", "10.0.0.1:80");
  Follow web(EtcdApi::kV2, options_for({etcd.url()}));
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  const auto directory = etcd.url() + "/v2/keys/services/web";
  ASSERT_EQ(call("PUT", directory, "dir=true&prevExist=true&ttl=2").status, 200);
  etcd.put_v2("/services/web/web-2", "10.0.0.2:80");
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80", "10.0.0.2:80"}));
  EXPECT_EQ(web.publications(), 2U);
  EXPECT_TRUE(web.until_set_is({})) << "the directory expires with all that is in it";
  EXPECT_EQ(web.status().lists, 1U);
}

}  // namespace
}  // namespace ambbpf::test
