// SPDX-License-Identifier: Apache-2.0
// What the reconciler of keys promises while its etcd is well, against a real one.
#include <gtest/gtest.h>

#include <future>

#include "tests/integration/reconciler.h"
#include "userspace/support/json.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using State = RegisteredKey::State;

const std::string kOddValue = R"({ "port": 49155, "host": "10.0.0.1", "note": "a+b & c=d%/?" })";

class ReconcilerKeys : public ::testing::TestWithParam<EtcdApi> {
 protected:
  std::optional<std::string> get(const std::string& key = kKey) const { return etcd().get(key); }
  Etcd etcd() const { return {process, GetParam()}; }
  bool until_value_is(const std::optional<std::string>& value, const std::string& key = kKey,
                      Clock::duration limit = 20s) {
    return Turning::until([&] { return get(key) == value; }, limit);
  }

  EtcdProcess process;
};

INSTANTIATE_TEST_SUITE_P(Api, ReconcilerKeys, ::testing::Values(EtcdApi::kV2, EtcdApi::kV3),
                         [](const auto& api) { return api.param == EtcdApi::kV2 ? "v2" : "v3"; });

TEST_P(ReconcilerKeys, WritesAndKeepsAlive) {
  Keep keep(GetParam(), {process.url()});
  keep.want({{kKey, kOddValue}});
  EXPECT_EQ(keep.key(kKey)->state, State::kPending);
  ASSERT_TRUE(keep.until_kept(kKey));
  EXPECT_EQ(get(), kOddValue);
  const auto written = Clock::now();
  while (Clock::now() < written + 3 * kTtl) {
    Turning::turn_for(100ms);
    ASSERT_EQ(get(), kOddValue);
  }
  const auto status = keep.status();
  EXPECT_EQ(status.api, GetParam() == EtcdApi::kV2 ? "v2" : "v3");
  EXPECT_EQ(status.from, process.url());
  EXPECT_EQ(status.writes, 1U);
  EXPECT_GE(status.keepalives, 7U);
  EXPECT_EQ(status.lost, 0U);
  EXPECT_EQ(status.failures, 0U);
  EXPECT_FALSE(status.failing);
}

TEST_P(ReconcilerKeys, ChangeOfAValueIsWrittenAtOnce) {
  Keep keep(GetParam(), {process.url()}, 60s);
  keep.want({{kKey, "10.0.0.1:80"}});
  ASSERT_TRUE(keep.until_kept(kKey));
  keep.want({{kKey, "10.0.0.1:81"}});
  EXPECT_TRUE(until_value_is("10.0.0.1:81"));
  ASSERT_TRUE(keep.until_kept(kKey));
  keep.want({{kKey, "10.0.0.1:81"}});
  EXPECT_EQ(keep.key(kKey)->state, State::kKept);
  EXPECT_EQ(keep.status().writes, 2U);
}

TEST_P(ReconcilerKeys, KeyNoLongerWantedGoesAtOnce) {
  Keep keep(GetParam(), {process.url()}, 60s);
  keep.want({{kKey, kOddValue}, {"/services/web/web-2", "10.0.0.2:80"}});
  ASSERT_TRUE(keep.until_kept(kKey));
  ASSERT_TRUE(keep.until_kept("/services/web/web-2"));
  keep.want({{"/services/web/web-2", "10.0.0.2:80"}});
  EXPECT_TRUE(until_value_is(std::nullopt));
  ASSERT_TRUE(Turning::until([&] { return !keep.key(kKey); }));
  EXPECT_EQ(get("/services/web/web-2"), "10.0.0.2:80");
  EXPECT_EQ(keep.status().deletes, 1U);
}

TEST_P(ReconcilerKeys, WithdrawLeavesNothingOfOurs) {
  etcd().put("/services/web/of-another", "10.0.0.9:80");
  Keep keep(GetParam(), {process.url()}, 60s);
  keep.want({{kKey, kOddValue}, {"/services/web/web-2", "10.0.0.2:80"}});
  ASSERT_TRUE(keep.until_kept("/services/web/web-2"));
  ASSERT_TRUE(keep.withdraw());
  EXPECT_EQ(get(), std::nullopt);
  EXPECT_EQ(get("/services/web/web-2"), std::nullopt);
  EXPECT_EQ(get("/services/web/of-another"), "10.0.0.9:80");
  EXPECT_EQ(process.leases(), 0U);
}

// A write may be under way, or none be done yet.
TEST_P(ReconcilerKeys, WithdrawAtAnyMomentLeavesNothing) {
  for (int turns = 0; turns < 12; ++turns) {
    Keep keep(GetParam(), {process.url()}, 60s);
    keep.want({{kKey, kOddValue}, {"/services/web/web-2", "10.0.0.2:80"}});
    for (int i = 0; i < turns; ++i) keep.turn(5ms);
    ASSERT_TRUE(keep.withdraw());
    ASSERT_EQ(get(), std::nullopt) << turns;
    ASSERT_EQ(get("/services/web/web-2"), std::nullopt) << turns;
    ASSERT_EQ(process.leases(), 0U) << turns;
  }
}

TEST_P(ReconcilerKeys, KeysOfAKilledProcessGoWithTheTtl) {
  {
    Keep keep(GetParam(), {process.url()});
    keep.want({{kKey, kOddValue}});
    ASSERT_TRUE(keep.until_kept(kKey));
  }
  EXPECT_TRUE(until_value_is(std::nullopt, kKey, kTtl + 2s));
}

TEST_P(ReconcilerKeys, KeyDeletedByHandIsWrittenAgain) {
  Keep keep(GetParam(), {process.url()});
  keep.want({{kKey, kOddValue}});
  ASSERT_TRUE(keep.until_kept(kKey));
  etcd().remove(kKey);
  EXPECT_TRUE(until_value_is(kOddValue, kKey, kTtl));
  ASSERT_TRUE(keep.until_kept(kKey));
  EXPECT_EQ(keep.status().lost, 1U);
  EXPECT_EQ(keep.status().writes, 2U);
  Turning::turn_for(2 * kTtl);
  EXPECT_EQ(get(), kOddValue);
  EXPECT_EQ(keep.status().writes, 2U);
}

TEST_P(ReconcilerKeys, ManyKeysAreKept) {
  WantedKeys many;
  for (int i = 0; i < 250; ++i) many["/services/web/web-" + std::to_string(i)] = "10.0.0.1:80";
  Keep keep(GetParam(), {process.url()}, 10s);
  keep.want(many);
  ASSERT_TRUE(Turning::until([&] { return keep.status().writes == many.size(); }));
  ASSERT_TRUE(Turning::until([&, keepalives = keep.status().keepalives] {
    return keep.status().keepalives >= keepalives + 2;
  }));
  for (const auto& [key, value] : many) ASSERT_EQ(get(key), value) << key;
  EXPECT_EQ(keep.status().lost, 0U);
  ASSERT_TRUE(keep.withdraw(20s));
  for (const auto& [key, value] : many) ASSERT_EQ(get(key), std::nullopt) << key;
}

// A directory stands where the key is to be: the other key does not suffer.
TEST(ReconcilerV2, KeyThatEtcdRefusesDoesNotStopTheOthers) {
  EtcdProcess etcd;
  etcd.put_v2("/services/web/directory/deep", "x");
  Keep keep(EtcdApi::kV2, {etcd.url()});
  keep.want({{"/services/web/directory", kOddValue}, {kKey, kOddValue}});
  ASSERT_TRUE(keep.until_kept(kKey));
  EXPECT_TRUE(keep.status().failing);
  EXPECT_EQ(keep.key("/services/web/directory")->note,
            "etcd says 102 Not a file (/services/web/directory)");
  etcd.remove_v2("/services/web/directory", true);
  EXPECT_TRUE(keep.until_kept("/services/web/directory"));
  EXPECT_FALSE(keep.status().failing);
}

TEST(ReconcilerV2, RefreshWakesNoWatcher) {
  EtcdProcess etcd;
  Keep keep(EtcdApi::kV2, {etcd.url()});
  keep.want({{kKey, kOddValue}});
  ASSERT_TRUE(keep.until_kept(kKey));
  const auto node = parse_json(call("GET", etcd.url() + "/v2/keys" + kKey).body);
  const auto index = uint_at(*object_at(node.value(), "node"), "modifiedIndex").value();
  const auto watch = etcd.url() + "/v2/keys/services/web?wait=true&recursive=true&waitIndex=" +
                     std::to_string(index + 1);
  auto event = std::async(std::launch::async, [&] { return call("GET", watch); });
  Turning::turn_for(2 * kTtl);
  EXPECT_GE(keep.status().keepalives, 5U);
  EXPECT_EQ(event.wait_for(0s), std::future_status::timeout);
  keep.want({{kKey, "10.0.0.1:81"}});
  const auto first = [&] { return event.wait_for(0s) == std::future_status::ready; };
  ASSERT_TRUE(Turning::until(first));
  const auto told = parse_json(event.get().body);
  ASSERT_TRUE(told);
  EXPECT_EQ(string_at(*object_at(*told, "node"), "value"), "10.0.0.1:81")
      << "the change of the value is the first event";
}

TEST(ReconcilerV2, WritesWithTheTtl) {
  EtcdProcess etcd;
  Keep keep(EtcdApi::kV2, {etcd.url()}, 60s);
  keep.want({{kKey, kOddValue}});
  ASSERT_TRUE(keep.until_kept(kKey));
  const auto answer = parse_json(call("GET", etcd.url() + "/v2/keys" + kKey).body);
  const auto ttl = uint_at(*object_at(answer.value(), "node"), "ttl");
  EXPECT_GE(ttl, 55U);
  EXPECT_LE(ttl, 60U);
}

TEST(ReconcilerV3, LostLeaseIsGrantedAnew) {
  EtcdProcess etcd;
  Keep keep(EtcdApi::kV3, {etcd.url()});
  keep.want({{kKey, kOddValue}, {"/services/web/web-2", "10.0.0.2:80"}});
  ASSERT_TRUE(keep.until_kept("/services/web/web-2"));
  etcd.revoke_leases();
  EXPECT_EQ(etcd.get_v3(kKey), std::nullopt);
  ASSERT_TRUE(Turning::until([&] { return keep.status().writes == 4; }, kTtl));
  EXPECT_EQ(etcd.get_v3(kKey), kOddValue);
  EXPECT_EQ(etcd.get_v3("/services/web/web-2"), "10.0.0.2:80");
  EXPECT_EQ(keep.status().lost, 2U);
  EXPECT_EQ(keep.status().failures, 0U);
}

// The lease goes, and the next thing to happen is a write, not a keepalive.
TEST(ReconcilerV3, WriteNoticesALostLease) {
  EtcdProcess etcd;
  Keep keep(EtcdApi::kV3, {etcd.url()}, 60s);
  keep.want({{kKey, kOddValue}});
  ASSERT_TRUE(keep.until_kept(kKey));
  etcd.revoke_leases();
  keep.want({{kKey, "10.0.0.1:81"}});
  ASSERT_TRUE(keep.until_kept(kKey));
  EXPECT_EQ(etcd.get_v3(kKey), "10.0.0.1:81");
  EXPECT_EQ(keep.status().failures, 0U);
}

TEST(ReconcilerAuto, TakesV2WhereItIsServed) {
  EtcdProcess etcd;
  Keep keep(EtcdApi::kAuto, {etcd.url()});
  keep.want({{kKey, kOddValue}});
  ASSERT_TRUE(keep.until_kept(kKey));
  EXPECT_EQ(keep.status().api, "v2");
  EXPECT_EQ(etcd.get_v2(kKey), kOddValue);
  EXPECT_EQ(etcd.get_v3(kKey), std::nullopt);
}

TEST(ReconcilerAuto, TakesV3WhereThereIsNoV2) {
  EtcdFlags only_v3{.enable_v2 = false};
  EtcdProcess etcd(only_v3);
  Keep keep(EtcdApi::kAuto, {etcd.url()});
  keep.want({{kKey, kOddValue}});
  ASSERT_TRUE(keep.until_kept(kKey));
  EXPECT_EQ(keep.status().api, "v3");
  EXPECT_EQ(keep.status().failures, 0U);
  EXPECT_EQ(etcd.get_v3(kKey), kOddValue);
}

TEST(ReconcilerV2, ApiNotServedIsAnErrorUntilItIs) {
  EtcdFlags only_v3{.enable_v2 = false};
  EtcdProcess etcd(only_v3);
  Keep keep(EtcdApi::kV2, {etcd.url()});
  keep.want({{kKey, kOddValue}});
  ASSERT_TRUE(keep.until_failing());
  EXPECT_EQ(keep.status().last_error, etcd.url() + " does not serve etcd's API v2");
  etcd.kill();
  EtcdFlags both{.enable_v2 = true};
  etcd.start(both);
  EXPECT_TRUE(keep.until_kept(kKey));
  EXPECT_FALSE(keep.status().failing);
}

}  // namespace
}  // namespace ambbpf::test
