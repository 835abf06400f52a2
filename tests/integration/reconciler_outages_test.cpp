// SPDX-License-Identifier: Apache-2.0
// What the reconciler of keys promises while its etcd is not well, against real ones.
#include <gtest/gtest.h>

#include "tests/integration/reconciler.h"
#include "tests/support/free_port.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using State = RegisteredKey::State;

class ReconcilerOutages : public ::testing::TestWithParam<EtcdApi> {
 protected:
  static Etcd keys(const EtcdProcess& etcd) { return {etcd, GetParam()}; }
  static bool until_value_is(const EtcdProcess& etcd, const std::optional<std::string>& value,
                             Clock::duration limit = 20s) {
    return Turning::until([&] { return keys(etcd).get(kKey) == value; }, limit);
  }
  static std::string nobody() { return "http://127.0.0.1:" + std::to_string(free_port()); }
};

INSTANTIATE_TEST_SUITE_P(Api, ReconcilerOutages, ::testing::Values(EtcdApi::kV2, EtcdApi::kV3),
                         [](const auto& api) { return api.param == EtcdApi::kV2 ? "v2" : "v3"; });

TEST_P(ReconcilerOutages, StartsBeforeItsEtcd) {
  EtcdProcess etcd;
  etcd.kill();
  Keep keep(GetParam(), {etcd.url()});
  keep.want({{kKey, kValue}});
  ASSERT_TRUE(keep.until_failing());
  EXPECT_EQ(keep.key(kKey)->state, State::kPending);
  EXPECT_NE(keep.status().last_error.find(etcd.url()), std::string::npos);
  etcd.start();
  EXPECT_TRUE(keep.until_kept(kKey));
  EXPECT_TRUE(keep.until_failing(false));
  EXPECT_EQ(keys(etcd).get(kKey), kValue);
}

TEST_P(ReconcilerOutages, KeyIsThereAfterARestart) {
  EtcdProcess etcd;
  Keep keep(GetParam(), {etcd.url()});
  keep.want({{kKey, kValue}});
  ASSERT_TRUE(keep.until_kept(kKey));
  etcd.kill();
  ASSERT_TRUE(keep.until_failing());
  etcd.start();
  ASSERT_TRUE(keep.until_failing(false));
  ASSERT_TRUE(keep.until_kept(kKey));
  EXPECT_TRUE(until_value_is(etcd, kValue, kTtl));
  Turning::turn_for(2 * kTtl);
  EXPECT_EQ(keys(etcd).get(kKey), kValue);
}

TEST_P(ReconcilerOutages, KeyIsThereAfterAWipe) {
  EtcdProcess etcd;
  for (int i = 0; i < 10; ++i) keys(etcd).put("/elsewhere", "x");
  Keep keep(GetParam(), {etcd.url()});
  keep.want({{kKey, kValue}, {"/services/web/web-2", "10.0.0.2:80"}});
  ASSERT_TRUE(keep.until_kept("/services/web/web-2"));
  etcd.kill();
  etcd.wipe();
  etcd.start();
  EXPECT_TRUE(until_value_is(etcd, kValue, 2 * kTtl));
  EXPECT_TRUE(Turning::until([&] { return keep.status().writes == 4; }));
  EXPECT_EQ(keys(etcd).get("/services/web/web-2"), "10.0.0.2:80");
  EXPECT_EQ(keep.status().lost, 2U);
}

TEST_P(ReconcilerOutages, KeyIsThereAfterAnOutageLongerThanTheTtl) {
  EtcdProcess etcd;
  Keep keep(GetParam(), {etcd.url()}, 1s);
  keep.want({{kKey, kValue}});
  ASSERT_TRUE(keep.until_kept(kKey));
  etcd.pause();
  Turning::turn_for(4s);
  EXPECT_TRUE(keep.status().failing);
  etcd.resume();
  EXPECT_TRUE(keep.until_failing(false));
  EXPECT_TRUE(until_value_is(etcd, kValue));
  EXPECT_TRUE(keep.until_kept(kKey));
}

TEST_P(ReconcilerOutages, ChangesOfAnOutageTakeEffectAfterIt) {
  EtcdProcess etcd;
  Keep keep(GetParam(), {etcd.url()}, 60s);
  keep.want({{kKey, kValue}, {"/services/web/web-2", "10.0.0.2:80"}});
  ASSERT_TRUE(keep.until_kept("/services/web/web-2"));
  etcd.kill();
  keep.want({{kKey, "10.0.0.1:81"}});
  ASSERT_TRUE(keep.until_failing());
  EXPECT_EQ(keep.key("/services/web/web-2")->state, State::kWithdrawing);
  etcd.start();
  EXPECT_TRUE(keep.until_kept(kKey));
  ASSERT_TRUE(Turning::until([&] { return keep.keys() == 1; }));
  EXPECT_EQ(keys(etcd).get(kKey), "10.0.0.1:81");
  EXPECT_EQ(keys(etcd).get("/services/web/web-2"), std::nullopt);
}

TEST_P(ReconcilerOutages, WithdrawEndsAtItsDeadline) {
  EtcdProcess etcd;
  Keep keep(GetParam(), {etcd.url()});
  keep.want({{kKey, kValue}});
  ASSERT_TRUE(keep.until_kept(kKey));
  etcd.pause();
  const auto begin = Clock::now();
  EXPECT_FALSE(keep.withdraw(700ms));
  EXPECT_GE(Clock::now() - begin, 700ms);
  etcd.resume();
}

// Some keepalives fail, and may have taken effect all the same.
TEST_P(ReconcilerOutages, WithdrawAfterAHangLeavesNothing) {
  EtcdProcess etcd;
  Keep keep(GetParam(), {etcd.url()}, 4s);
  keep.want({{kKey, kValue}, {"/services/web/web-2", "10.0.0.2:80"}});
  ASSERT_TRUE(keep.until_kept("/services/web/web-2"));
  etcd.pause();
  ASSERT_TRUE(keep.until_failing());
  etcd.resume();
  ASSERT_TRUE(keep.withdraw());
  // A refresh of before the hang may come after all, and leave a v2 key to its TTL.
  EXPECT_TRUE(until_value_is(etcd, std::nullopt));
  EXPECT_TRUE(Turning::until([&] { return !keys(etcd).get("/services/web/web-2"); }));
}

TEST_P(ReconcilerOutages, WithdrawOfNothingDoesNotWaitForEtcd) {
  Keep keep(GetParam(), {nobody()});
  EXPECT_TRUE(keep.withdraw());
}

TEST_P(ReconcilerOutages, NextMemberIsTried) {
  EtcdProcess first;
  EtcdProcess second;
  Keep keep(GetParam(), {nobody(), first.url(), second.url()});
  keep.want({{kKey, kValue}});
  ASSERT_TRUE(keep.until_kept(kKey));
  EXPECT_EQ(keep.status().from, first.url());
  EXPECT_EQ(keep.status().failures, 1U);
  EXPECT_FALSE(keep.status().failing);
  first.kill();
  EXPECT_TRUE(until_value_is(second, kValue, 2 * kTtl));
  EXPECT_EQ(keep.status().from, second.url());
}

TEST_P(ReconcilerOutages, NoBusyLoopWhileEtcdRefuses) {
  const auto refuses = nobody();
  Keep keep(GetParam(), {refuses, refuses}, 60s);
  keep.want({{kKey, kValue}});
  Turning::turn_for(2s);
  EXPECT_GE(keep.status().failures, 4U);
  EXPECT_LE(keep.status().failures, 20U);
}

class ReconcilerCluster : public ReconcilerOutages {
 protected:
  // A write is acknowledged when most members have it, and another learns that only with the
  // leader's next word: who looks through it would otherwise not see the key when the leader dies
  // before.
  static void expect_kept(Keep& keep, EtcdProcess& well) {
    keep.want({{kKey, kValue}});
    ASSERT_TRUE(keep.until_kept(kKey));
    ASSERT_TRUE(Turning::until([&] { return keys(well).get(kKey) == kValue; }));
  }

  // Looks through a member that is well for as long as a key may need to go away.
  static void expect_the_key_to_stay(const Keep& keep, EtcdProcess& well) {
    const auto end = Clock::now() + 3 * kTtl;
    while (Clock::now() < end) {
      Turning::turn_for(100ms);
      EXPECT_EQ(keys(well).get(kKey), kValue);
    }
    EXPECT_EQ(keep.status().lost, 0U);
  }

  // Without a leader etcd takes no refresh, and v2's TTLs go on: the next leader may begin by
  // letting the keys expire. Leases are extended by a new leader.
  static void expect_the_key_to_stay_or_come_back(Keep& keep, EtcdProcess& well) {
    if (GetParam() == EtcdApi::kV3) expect_the_key_to_stay(keep, well);
    ASSERT_TRUE(Turning::until([&] { return keep.status().from == well.url(); }));
    Turning::turn_for(kTtl);
    ASSERT_TRUE(keep.until_kept(kKey));
    EXPECT_TRUE(Turning::until([&] { return keys(well).get(kKey) == kValue; }));
    EXPECT_TRUE(keep.until_failing(false));
  }

  EtcdCluster cluster;
};

INSTANTIATE_TEST_SUITE_P(Api, ReconcilerCluster, ::testing::Values(EtcdApi::kV2, EtcdApi::kV3),
                         [](const auto& api) { return api.param == EtcdApi::kV2 ? "v2" : "v3"; });

TEST_P(ReconcilerCluster, KeyStaysWhenTheMemberAskedHangs) {
  auto& hangs = cluster.follower();
  auto& well = cluster.leader();
  Keep keep(GetParam(), {hangs.url(), well.url()});
  ASSERT_NO_FATAL_FAILURE(expect_kept(keep, well));
  hangs.pause();
  expect_the_key_to_stay(keep, well);
  EXPECT_EQ(keep.status().from, well.url());
  hangs.resume();
}

TEST_P(ReconcilerCluster, KeyStaysWhenTheLeaderDies) {
  auto& well = cluster.follower();
  auto& leader = cluster.leader();
  Keep keep(GetParam(), {leader.url(), well.url()});
  ASSERT_NO_FATAL_FAILURE(expect_kept(keep, well));
  leader.kill();
  expect_the_key_to_stay_or_come_back(keep, well);
}

TEST_P(ReconcilerCluster, KeyStaysWhenTheLeaderHangs) {
  auto& well = cluster.follower();
  auto& leader = cluster.leader();
  Keep keep(GetParam(), {leader.url(), well.url()});
  ASSERT_NO_FATAL_FAILURE(expect_kept(keep, well));
  leader.pause();
  expect_the_key_to_stay_or_come_back(keep, well);
  leader.resume();
}

// A member that has lost the others still answers some questions, and must not be taken for well.
TEST_P(ReconcilerCluster, MemberAloneIsNotTrusted) {
  auto& alone = *cluster.members()[0];
  Keep keep(GetParam(), {alone.url()});
  keep.want({{kKey, kValue}});
  ASSERT_TRUE(keep.until_kept(kKey));
  cluster.members()[1]->kill();
  cluster.members()[2]->kill();
  ASSERT_TRUE(keep.until_failing());
  for (int i = 0; i < 20; ++i) {
    Turning::turn_for(100ms);
    ASSERT_TRUE(keep.status().failing);
  }
}

}  // namespace
}  // namespace ambbpf::test
