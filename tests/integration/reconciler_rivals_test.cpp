// SPDX-License-Identifier: Apache-2.0
// Several who write the same key: the newest has it, and nobody takes another's away.
#include <gtest/gtest.h>

#include "tests/integration/reconciler.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using State = RegisteredKey::State;

const std::string kOurs = R"({ "port": 49155, "host": "10.0.0.1" })";
const std::string kTheirs = R"({ "port": 49155, "host": "10.0.0.2" })";

class ReconcilerRivals : public ::testing::TestWithParam<EtcdApi> {
 protected:
  Etcd etcd() const { return {process, GetParam()}; }
  bool until_value_is(const std::optional<std::string>& value, Clock::duration limit = 20s) {
    return Turning::until([&] { return etcd().get(kKey) == value; }, limit);
  }
  bool until_another_refresh(const Keep& keep) {
    return Turning::until([&, keepalives = keep.status().keepalives] {
      return keep.status().keepalives >= keepalives + 2;  // the first may have been under way
    });
  }

  EtcdProcess process;
};

INSTANTIATE_TEST_SUITE_P(Api, ReconcilerRivals, ::testing::Values(EtcdApi::kV2, EtcdApi::kV3),
                         [](const auto& api) { return api.param == EtcdApi::kV2 ? "v2" : "v3"; });

TEST_P(ReconcilerRivals, TakesOverWhatAnOlderProcessLeft) {
  etcd().put(kKey, kTheirs, 60);
  Keep keep(GetParam(), {process.url()});
  keep.want({{kKey, kOurs}});
  ASSERT_TRUE(keep.until_kept(kKey));
  EXPECT_EQ(etcd().get(kKey), kOurs);
}

TEST_P(ReconcilerRivals, StandsByWhileAnotherHasTheKey) {
  Keep keep(GetParam(), {process.url()});
  keep.want({{kKey, kOurs}});
  ASSERT_TRUE(keep.until_kept(kKey));
  etcd().put(kKey, kTheirs);
  ASSERT_TRUE(keep.until_state_is(kKey, State::kOvertaken));
  EXPECT_EQ(keep.key(kKey)->note, "'" + kTheirs + "'");
  ASSERT_TRUE(until_another_refresh(keep));
  EXPECT_EQ(etcd().get(kKey), kTheirs);
  EXPECT_EQ(keep.status().writes, 1U);
  EXPECT_FALSE(keep.status().failing);
  etcd().remove(kKey);
  EXPECT_TRUE(until_value_is(kOurs, kTtl));
  ASSERT_TRUE(keep.until_kept(kKey));
  EXPECT_EQ(keep.status().lost, 0U) << "it was not ours to lose";
}

TEST_P(ReconcilerRivals, WhatAnotherHasIsNotDeleted) {
  Keep keep(GetParam(), {process.url()});
  keep.want({{kKey, kOurs}});
  ASSERT_TRUE(keep.until_kept(kKey));
  etcd().put(kKey, kTheirs);
  ASSERT_TRUE(keep.until_state_is(kKey, State::kOvertaken));
  ASSERT_TRUE(keep.withdraw());
  EXPECT_EQ(etcd().get(kKey), kTheirs);
}

TEST_P(ReconcilerRivals, WhatAnotherHasTakenUnnoticedIsNotDeleted) {
  Keep keep(GetParam(), {process.url()}, 60s);
  keep.want({{kKey, kOurs}, {"/services/web/web-2", "10.0.0.1:80"}});
  ASSERT_TRUE(keep.until_kept(kKey));
  ASSERT_TRUE(keep.until_kept("/services/web/web-2"));
  etcd().put(kKey, kTheirs);
  etcd().put("/services/web/web-2", "10.0.0.2:80");
  keep.want({{"/services/web/web-2", "10.0.0.1:80"}});
  ASSERT_TRUE(Turning::until([&] { return !keep.key(kKey); }));
  EXPECT_EQ(etcd().get(kKey), kTheirs);
  ASSERT_TRUE(keep.withdraw());
  EXPECT_EQ(etcd().get("/services/web/web-2"), "10.0.0.2:80");
  EXPECT_EQ(keep.status().deletes, 0U);
}

// By a refresh it would have taken the key for its own: the value is the same.
TEST_P(ReconcilerRivals, PredecessorThatStandsStillTakesNothingAlong) {
  Keep before(GetParam(), {process.url()});
  before.want({{kKey, kOurs}});
  ASSERT_TRUE(before.until_kept(kKey));
  ASSERT_TRUE(before.stand_still());
  Keep after(GetParam(), {process.url()}, 60s);  // does not refresh it meanwhile
  after.want({{kKey, kOurs}});
  ASSERT_TRUE(after.until_kept(kKey));
  Turning::turn_for(kTtl);  // time for three refreshes
  ASSERT_TRUE(before.withdraw());
  EXPECT_EQ(etcd().get(kKey), kOurs);
  EXPECT_EQ(before.status().deletes, 0U);
}

awaitable<void> note_whether_it_stands(Etcd etcd, std::optional<bool>& stands) {
  stands = etcd.get(kKey).has_value();
  co_return;
}

TEST_P(ReconcilerRivals, WhatComesBeforeWritingComesBeforeTheFirstKey) {
  std::optional<bool> stands;
  Keep keep(GetParam(), {process.url()});
  keep.before_writing([&] { return note_whether_it_stands(etcd(), stands); });
  keep.want({{kKey, kOurs}});
  ASSERT_TRUE(keep.until_kept(kKey));
  EXPECT_EQ(stands, false);
}

TEST_P(ReconcilerRivals, ChangeOfOursIsTheNewest) {
  Keep keep(GetParam(), {process.url()});
  keep.want({{kKey, kOurs}});
  ASSERT_TRUE(keep.until_kept(kKey));
  etcd().put(kKey, kTheirs);
  ASSERT_TRUE(keep.until_state_is(kKey, State::kOvertaken));
  keep.want({{kKey, "10.0.0.1:81"}});
  ASSERT_TRUE(keep.until_kept(kKey));
  EXPECT_EQ(etcd().get(kKey), "10.0.0.1:81");
}

TEST_P(ReconcilerRivals, SecondKeeperHasItUntilItWithdraws) {
  Keep first(GetParam(), {process.url()});
  first.want({{kKey, kOurs}});
  ASSERT_TRUE(first.until_kept(kKey));
  Keep second(GetParam(), {process.url()});
  second.want({{kKey, kTheirs}});
  ASSERT_TRUE(second.until_kept(kKey));
  ASSERT_TRUE(first.until_state_is(kKey, State::kOvertaken));
  ASSERT_TRUE(until_another_refresh(first));
  EXPECT_EQ(etcd().get(kKey), kTheirs);
  EXPECT_EQ(second.key(kKey)->state, State::kKept);
  ASSERT_TRUE(second.withdraw());
  EXPECT_TRUE(until_value_is(kOurs, kTtl));
  EXPECT_TRUE(first.until_kept(kKey));
}

TEST_P(ReconcilerRivals, SecondKeeperHasItUntilItIsKilled) {
  Keep first(GetParam(), {process.url()});
  first.want({{kKey, kOurs}});
  ASSERT_TRUE(first.until_kept(kKey));
  {
    Keep second(GetParam(), {process.url()});
    second.want({{kKey, kTheirs}});
    ASSERT_TRUE(second.until_kept(kKey));
    ASSERT_TRUE(first.until_state_is(kKey, State::kOvertaken));
  }
  EXPECT_TRUE(until_value_is(kOurs, 2 * kTtl + 2s));
  EXPECT_TRUE(first.until_kept(kKey));
}

// As two for one container: whichever goes, the key is there for the other.
TEST_P(ReconcilerRivals, SameValueOfTwoOutlivesEither) {
  for (const bool first_goes : {true, false}) {
    Keep first(GetParam(), {process.url()});
    first.want({{kKey, kOurs}});
    ASSERT_TRUE(first.until_kept(kKey));
    Keep second(GetParam(), {process.url()});
    second.want({{kKey, kOurs}});
    ASSERT_TRUE(second.until_kept(kKey));
    ASSERT_TRUE(until_another_refresh(second));
    auto& goes = first_goes ? first : second;
    auto& stays = first_goes ? second : first;
    ASSERT_TRUE(goes.withdraw());
    EXPECT_TRUE(until_value_is(kOurs, kTtl));
    ASSERT_TRUE(until_another_refresh(stays));
    EXPECT_EQ(etcd().get(kKey), kOurs);
    EXPECT_EQ(stays.key(kKey)->state, State::kKept);
    ASSERT_TRUE(stays.withdraw());
    EXPECT_EQ(etcd().get(kKey), std::nullopt);
  }
}

// etcdctl set KEY VALUE --ttl 5, again and again, as docker-register does.
TEST(ReconcilerV2Rivals, OldRegistrarOfTheSameValueIsNoRival) {
  EtcdProcess etcd;
  Keep keep(EtcdApi::kV2, {etcd.url()});
  keep.want({{kKey, kOurs}});
  ASSERT_TRUE(keep.until_kept(kKey));
  for (int i = 0; i < 20; ++i) {
    etcd.put_v2(kKey, kOurs, 5);
    Turning::turn_for(100ms);
    ASSERT_EQ(keep.key(kKey)->state, State::kKept);
  }
  etcd.put_v2(kKey, kOurs, 60);
  ASSERT_TRUE(keep.withdraw());
  EXPECT_EQ(etcd.get_v2(kKey), kOurs) << "written since our last refresh, it is not ours";
}

}  // namespace
}  // namespace ambbpf::test
