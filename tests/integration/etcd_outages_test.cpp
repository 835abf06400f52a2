// SPDX-License-Identifier: Apache-2.0
// What both etcd sources promise while their etcd is not well, against a real one.
#include <gtest/gtest.h>

#include "tests/integration/etcd_follow.h"
#include "tests/support/free_port.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using State = SourceStatus::State;

class EtcdOutages : public ::testing::TestWithParam<EtcdApi> {
 protected:
  EtcdOptions options(std::vector<std::string> urls) {
    auto options = options_for(std::move(urls));
    options.request_timeout = 500ms;
    options.quiet_before_list = 1s;
    return options;
  }
  Keys keys(const EtcdProcess& etcd) { return {etcd, GetParam()}; }
};

INSTANTIATE_TEST_SUITE_P(Api, EtcdOutages, ::testing::Values(EtcdApi::kV2, EtcdApi::kV3),
                         [](const auto& api) { return api.param == EtcdApi::kV2 ? "v2" : "v3"; });

TEST_P(EtcdOutages, KeepsTheLastGoodSetWhileEtcdIsDown) {
  EtcdProcess etcd;
  keys(etcd).put("/services/web/web-1", "10.0.0.1:80");
  Follow web(GetParam(), options({etcd.url()}));
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  etcd.kill();
  ASSERT_TRUE(web.until_state_is(State::kFailing));
  web.turn_for(1s);
  EXPECT_EQ(web.publications(), 1U);
  EXPECT_EQ(web.status().endpoints, 1U);
  EXPECT_NE(web.status().last_error.find(etcd.url()), std::string::npos) << web.status().last_error;
  EXPECT_LT(web.status().heard_at, web.status().failed_at);
}

TEST_P(EtcdOutages, KeepsTheLastGoodSetWhileEtcdHangs) {
  EtcdProcess etcd;
  keys(etcd).put("/services/web/web-1", "10.0.0.1:80");
  Follow web(GetParam(), options({etcd.url()}));
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  etcd.pause();
  ASSERT_TRUE(web.until_state_is(State::kFailing)) << "a quiet watch is no proof of life";
  EXPECT_EQ(web.publications(), 1U);
  etcd.resume();
  ASSERT_TRUE(web.until_state_is(State::kFollowing));
  keys(etcd).put("/services/web/web-1", "10.0.0.2:80");
  EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
}

TEST_P(EtcdOutages, FollowsAgainAfterRestart) {
  EtcdProcess etcd;
  keys(etcd).put("/services/web/web-1", "10.0.0.1:80");
  keys(etcd).put("/services/web/web-2", "10.0.0.2:80");
  Follow web(GetParam(), options({etcd.url()}));
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80", "10.0.0.2:80"}));
  etcd.kill();
  ASSERT_TRUE(web.until_state_is(State::kFailing));
  etcd.start();
  ASSERT_TRUE(web.until_state_is(State::kFollowing));
  EXPECT_EQ(web.publications(), 1U);
  keys(etcd).remove("/services/web/web-1");
  EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  EXPECT_EQ(web.status().note, "");
}

TEST_P(EtcdOutages, StartsBeforeItsEtcd) {
  EtcdProcess etcd;
  etcd.kill();
  Follow web(GetParam(), options({etcd.url()}));
  ASSERT_TRUE(web.until_state_is(State::kFailing));
  EXPECT_FALSE(web.has_published());
  etcd.start();
  ASSERT_TRUE(web.until_set_is({}));
}

TEST_P(EtcdOutages, KeepsTheSetAcrossAWipedEtcd) {
  EtcdProcess etcd;
  for (int i = 0; i < 10; ++i) keys(etcd).put("/services/other/x", "10.0.0.9:80");
  keys(etcd).put("/services/web/web-1", "10.0.0.1:80");
  keys(etcd).put("/services/web/web-2", "10.0.0.2:80");
  Follow web(GetParam(), options({etcd.url()}));
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80", "10.0.0.2:80"}));
  etcd.kill();
  etcd.wipe();
  etcd.start();
  ASSERT_TRUE(web.until([&] { return !web.status().note.empty(); }));
  EXPECT_EQ(web.status().note, "kept from an earlier etcd cluster, the new one lists none yet");
  ASSERT_TRUE(web.until_listed_again());
  EXPECT_EQ(web.publications(), 1U) << "and a further listing of nothing changes nothing";
  keys(etcd).put("/services/web/web-3", "10.0.0.3:80");
  EXPECT_TRUE(web.until_set_is({"10.0.0.3:80"}));
  EXPECT_EQ(web.status().note, "");
  keys(etcd).remove("/services/web/web-3");
  EXPECT_TRUE(web.until_set_is({})) << "the new cluster is now as good as the old one was";
}

TEST_P(EtcdOutages, DeleteInTheNewClusterEndsTheKeptSet) {
  EtcdProcess etcd;
  for (int i = 0; i < 10; ++i) keys(etcd).put("/services/other/x", "10.0.0.9:80");
  keys(etcd).put("/services/web/web-1", "10.0.0.1:80");
  Follow web(GetParam(), options({etcd.url()}));
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  etcd.kill();
  etcd.wipe();
  etcd.start();
  ASSERT_TRUE(web.until([&] { return !web.status().note.empty(); }));
  keys(etcd).put("/services/web/web-1", "not yet");
  keys(etcd).remove("/services/web/web-1");
  EXPECT_TRUE(web.until_set_is({}));
}

// The server is replaced while the connection to it hangs, as behind a proxy: only the answers
// tell.
TEST_P(EtcdOutages, NoticesAnotherClusterBehindTheSameAddress) {
  EtcdProcess etcd;
  for (int i = 0; i < 10; ++i) keys(etcd).put("/services/other/x", "10.0.0.9:80");
  keys(etcd).put("/services/web/web-1", "10.0.0.1:80");
  auto patient = options({etcd.url()});
  patient.quiet_before_list = 60s;
  Follow web(GetParam(), patient);
  ASSERT_TRUE(web.until([&] { return web.status().lists == 1; }));
  etcd.kill();  // between the listing and the watch
  etcd.wipe();
  etcd.start();
  ASSERT_TRUE(web.until([&] { return !web.status().note.empty(); }));
  keys(etcd).put("/services/web/web-1", "10.0.0.2:80");
  EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
}

TEST_P(EtcdOutages, TriesTheNextUrl) {
  EtcdProcess first;
  EtcdProcess second;
  keys(first).put("/services/web/web-1", "10.0.0.1:80");
  keys(second).put("/services/web/web-1", "10.0.0.2:80");
  const auto nobody = "http://127.0.0.1:" + std::to_string(free_port());
  Follow web(GetParam(), options({nobody, first.url(), second.url()}));
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  EXPECT_EQ(web.status().state, State::kFollowing);
  EXPECT_EQ(web.status().failures, 1U);
  EXPECT_NE(web.status().from.find(first.url()), std::string::npos);
  first.kill();
  ASSERT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  EXPECT_NE(web.status().from.find(second.url()), std::string::npos);
}

TEST_P(EtcdOutages, NoBusyLoopWhileEtcdRefuses) {
  const auto nobody = "http://127.0.0.1:" + std::to_string(free_port());
  Follow web(GetParam(), options({nobody, nobody}));
  web.turn_for(2s);
  EXPECT_GE(web.status().failures, 4U);
  EXPECT_LE(web.status().failures, 20U);
  EXPECT_EQ(web.status().state, State::kFailing);
}

TEST_P(EtcdOutages, FollowsThroughALeaderChange) {
  EtcdCluster cluster;
  auto& survivor = cluster.follower();
  auto& leader = cluster.leader();
  for (const bool watches_the_leader : {true, false}) {
    keys(survivor).put("/services/web/web-1", "10.0.0.1:80");
    auto urls = watches_the_leader ? std::vector{leader.url(), survivor.url()}
                                   : std::vector{survivor.url(), leader.url()};
    Follow web(GetParam(), options(urls));
    ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
    leader.kill();
    ASSERT_TRUE(web.until([&] { return survivor.wait_until_ready(); }));
    keys(survivor).put("/services/web/web-1", "10.0.0.2:80");
    EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
    EXPECT_EQ(web.publications(), 2U);
    EXPECT_EQ(web.status().note, "");
    leader.start();
  }
}

TEST(EtcdV3Outages, MemberWithoutALeaderIsNotTrustedForLong) {
  EtcdCluster cluster;
  auto& alone = *cluster.members()[0];
  alone.put_v3("/services/web/web-1", "10.0.0.1:80");
  auto options = options_for({alone.url()});
  Follow web(EtcdApi::kV3, options);
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  web.turn_for(200ms);
  cluster.members()[1]->kill();
  cluster.members()[2]->kill();
  EXPECT_TRUE(web.until_state_is(State::kFailing)) << "long before the 60 s of a quiet watch";
  EXPECT_EQ(web.publications(), 1U);
}

TEST(EtcdV2Outages, ListsAgainAfterEventIndexCleared) {
  EtcdProcess etcd;
  etcd.put_v2("/services/web/web-1", "10.0.0.1:80");
  auto options = options_for({etcd.url()});
  options.request_timeout = 20s;  // longer than the loop stands still
  Follow web(EtcdApi::kV2, options);
  ASSERT_TRUE(web.until([&] { return web.status().lists == 1; }));  // and the loop stands still
  etcd.put_v2("/services/web/web-1", "10.0.0.2:80");
  for (int i = 0; i < 1100; ++i) etcd.put_v2("/elsewhere", std::to_string(i));
  ASSERT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  EXPECT_EQ(web.status().lists, 2U) << "the event itself was out of etcd's history";
  EXPECT_EQ(web.status().failures, 0U);
  etcd.put_v2("/services/web/web-1", "10.0.0.3:80");
  EXPECT_TRUE(web.until_set_is({"10.0.0.3:80"}));
  EXPECT_EQ(web.status().lists, 2U);
}

TEST(EtcdV3Outages, ListsAgainAfterCompaction) {
  EtcdProcess etcd;
  etcd.put_v3("/services/web/web-1", "10.0.0.1:80");
  Follow web(EtcdApi::kV3, options_for({etcd.url()}));
  ASSERT_TRUE(web.until([&] { return web.status().lists == 1; }));  // and the loop stands still
  for (int i = 2; i < 6; ++i)
    etcd.put_v3("/services/web/web-1", "10.0.0." + std::to_string(i) + ":80");
  etcd.compact_v3();
  ASSERT_TRUE(web.until_set_is({"10.0.0.5:80"}));
  EXPECT_EQ(web.status().lists, 2U);
  EXPECT_EQ(web.publications(), 2U);
  EXPECT_EQ(web.status().failures, 0U);
  etcd.put_v3("/services/web/web-1", "10.0.0.7:80");
  EXPECT_TRUE(web.until_set_is({"10.0.0.7:80"}));
  EXPECT_EQ(web.status().lists, 2U);
}

TEST(EtcdAuto, ApiNotServedIsFoundOut) {
  EtcdFlags only_v3{.enable_v2 = false};
  EtcdProcess etcd(only_v3);
  etcd.put_v3("/services/web/web-1", "10.0.0.1:80");
  Follow web(EtcdApi::kAuto, options_for({etcd.url()}));
  ASSERT_TRUE(web.until([&] { return web.status(0).state == State::kNotServed; }));
  ASSERT_TRUE(web.until([&] { return web.set(1) == Set{"10.0.0.1:80"}; }));
  EXPECT_EQ(web.status(0).kind, "etcd v2");
  EXPECT_EQ(web.status(0).failures, 0U);
  EXPECT_FALSE(web.has_published(0));
  web.turn_for(200ms);  // the watch is under way

  etcd.kill();
  EtcdFlags both{.enable_v2 = true};
  etcd.start(both);
  etcd.put_v2("/services/web/web-2", "10.0.0.2:80");
  EXPECT_TRUE(web.until([&] { return web.set(0) == Set{"10.0.0.2:80"}; }))
      << "asked again as soon as the other source has seen the server change";
  EXPECT_EQ(web.set(1), Set{"10.0.0.1:80"});
}

TEST(EtcdAuto, NoAnswerAtAllFailsBoth) {
  Follow web(EtcdApi::kAuto, options_for({"http://127.0.0.1:" + std::to_string(free_port())}));
  EXPECT_TRUE(web.until([&] {
    return web.status(0).state == State::kFailing && web.status(1).state == State::kFailing;
  }));
}

}  // namespace
}  // namespace ambbpf::test
