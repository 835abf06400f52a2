// SPDX-License-Identifier: Apache-2.0
// The bodies below were captured from etcd 3.4.23 with --enable-v2, unless said otherwise.
#include <gtest/gtest.h>

#include "userspace/etcd/v2_decode.h"

namespace ambbpf {
namespace {

const std::string kListing =
    R"({"action":"get","node":{"key":"/services/web","dir":true,"nodes":[{"key":"/services/web/web-2","value":"10.0.0.2:80","modifiedIndex":5,"createdIndex":5},{"key":"/services/web/sub","dir":true,"nodes":[{"key":"/services/web/sub/deep","value":"x","modifiedIndex":7,"createdIndex":7}],"modifiedIndex":7,"createdIndex":7},{"key":"/services/web/web-1","value":"{ \"port\": 49155, \"host\": \"10.0.0.1\", \"weight\": 3, \"zone\": \"nyc\" }","expiration":"2026-11-22T14:47:06.028262698Z","ttl":60,"modifiedIndex":4,"createdIndex":4}],"modifiedIndex":4,"createdIndex":4}})"
    "\n";

const std::string kUpdate =
    R"({"action":"update","node":{"key":"/services/web/web-1","value":"10.0.0.1:9","modifiedIndex":12,"createdIndex":4},"prevNode":{"key":"/services/web/web-1","value":"{ \"port\": 49155, \"host\": \"10.0.0.1\", \"weight\": 3, \"zone\": \"nyc\" }","expiration":"2026-11-22T14:46:59.179210355Z","ttl":50,"modifiedIndex":11,"createdIndex":4}})"
    "\n";

TEST(EtcdV2Decode, Listing) {
  const auto keys = decode_v2_listing(kListing);
  ASSERT_TRUE(keys) << keys.error().message();
  ASSERT_EQ(keys->size(), 3U);
  EXPECT_EQ((*keys)[0], (EtcdKey{"/services/web/web-2", "10.0.0.2:80"}));
  EXPECT_EQ((*keys)[1].value,
            R"({ "port": 49155, "host": "10.0.0.1", "weight": 3, "zone": "nyc" })");
  EXPECT_EQ((*keys)[2], (EtcdKey{"/services/web/sub/deep", "x"}));
}

TEST(EtcdV2Decode, ListingOfAKeyIsEmpty) {
  const auto keys = decode_v2_listing(
      R"({"action":"get","node":{"key":"/services/odd/a b?c%\"d","value":"1.1.1.1:1","modifiedIndex":14,"createdIndex":14}})");
  ASSERT_TRUE(keys);
  EXPECT_TRUE(keys->empty());
}

TEST(EtcdV2Decode, SetHasTheNewValue) {
  for (const auto* action : {"set", "create", "update", "compareAndSwap"}) {
    auto body = kUpdate;
    body.replace(body.find("update"), 6, action);
    const auto event = decode_v2_event(body);
    ASSERT_TRUE(event) << event.error().message();
    EXPECT_EQ(event->change, (EtcdChange{"/services/web/web-1", "10.0.0.1:9", false, 12}));
    EXPECT_EQ(event->index, 12U);
  }
}

TEST(EtcdV2Decode, DeleteAndExpireHaveNone) {
  const auto deleted = decode_v2_event(
      R"({"action":"delete","node":{"key":"/services/web/web-2","modifiedIndex":8,"createdIndex":5},"prevNode":{"key":"/services/web/web-2","value":"10.0.0.2:80","modifiedIndex":5,"createdIndex":5}})");
  ASSERT_TRUE(deleted);
  EXPECT_EQ(deleted->change, (EtcdChange{"/services/web/web-2", std::nullopt, false, 8}));
  EXPECT_EQ(deleted->index, 8U);
  const auto expired = decode_v2_event(
      R"({"action":"expire","node":{"key":"/services/web/web-3","modifiedIndex":10,"createdIndex":9},"prevNode":{"key":"/services/web/web-3","value":"10.0.0.3:1","expiration":"2026-11-22T14:46:08.157158421Z","modifiedIndex":9,"createdIndex":9}})");
  ASSERT_TRUE(expired);
  EXPECT_EQ(expired->change, (EtcdChange{"/services/web/web-3", std::nullopt, false, 10}));
}

TEST(EtcdV2Decode, RecursiveDeleteNamesTheDirectory) {
  const auto event = decode_v2_event(
      R"({"action":"delete","node":{"key":"/services","dir":true,"modifiedIndex":13,"createdIndex":4},"prevNode":{"key":"/services","dir":true,"modifiedIndex":4,"createdIndex":4}})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->change, (EtcdChange{"/services", std::nullopt, false, 13}));
}

TEST(EtcdV2Decode, DirectoryMadeIsNoValue) {
  const auto event = decode_v2_event(
      R"({"action":"set","node":{"key":"/services/web","dir":true,"modifiedIndex":20,"createdIndex":20}})");
  ASSERT_TRUE(event);
  EXPECT_TRUE(event->change.only_itself);
  EXPECT_FALSE(event->change.value);
}

TEST(EtcdV2Decode, Errors) {
  const auto missing =
      decode_v2_error(R"({"errorCode":100,"message":"Key not found","cause":"/services","index":3})"
                      "\n");
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->code, EtcdV2Error::kKeyNotFound);
  EXPECT_EQ(missing->text, "etcd says 100 Key not found (/services)");
  const auto cleared = decode_v2_error(
      R"({"errorCode":401,"message":"The event in requested index is outdated and cleared","cause":"the requested history has been cleared [1008/8]","index":2007})");
  ASSERT_TRUE(cleared);
  EXPECT_EQ(cleared->code, EtcdV2Error::kEventIndexCleared);
  EXPECT_FALSE(decode_v2_error("404 page not found\n"));
  EXPECT_FALSE(decode_v2_error(""));
  EXPECT_FALSE(decode_v2_error("{}"));
  EXPECT_FALSE(decode_v2_error(kListing));
}

TEST(EtcdV2Decode, EveryCutIsAnError) {
  for (std::size_t length = 0; length + 2 < kListing.size(); ++length)
    EXPECT_FALSE(decode_v2_listing(kListing.substr(0, length))) << length;
  for (std::size_t length = 0; length + 2 < kUpdate.size(); ++length)
    EXPECT_FALSE(decode_v2_event(kUpdate.substr(0, length))) << length;
}

TEST(EtcdV2Decode, ConcatenatedAnswersAreAnError) {
  EXPECT_FALSE(decode_v2_event(kUpdate + kUpdate));
  EXPECT_FALSE(decode_v2_listing(kListing + kListing));
}

TEST(EtcdV2Decode, WrongTypesAreErrors) {
  for (const auto* body : {"null", "[]", "7", "\"x\"", "{}", R"({"node":7})", R"({"node":null})",
                           R"({"node":{"nodes":[7]}})", R"({"node":{"nodes":[{"key":7}]}})",
                           R"({"node":{"nodes":[null]}})"})
    EXPECT_FALSE(decode_v2_listing(body)) << body;
  for (const auto* body :
       {"null", "[]", "{}", R"({"action":"set"})", R"({"action":7,"node":{}})",
        R"({"action":"set","node":{}})", R"({"action":"set","node":{"key":"/a"}})",
        R"({"action":"set","node":{"key":"/a","modifiedIndex":-1}})",
        R"({"action":"set","node":{"key":[],"modifiedIndex":1}})"})
    EXPECT_FALSE(decode_v2_event(body)) << body;
  const auto odd =
      decode_v2_listing(R"({"node":{"nodes":[{"key":"/a/b","value":7,"dir":"yes"}]}})");
  ASSERT_TRUE(odd);
  EXPECT_EQ((*odd)[0].value, "");
}

TEST(EtcdV2Decode, HugeAndDeepBodiesAreErrors) {
  const std::string deep(4 << 20, '[');
  EXPECT_FALSE(decode_v2_listing(deep));
  EXPECT_FALSE(decode_v2_event(deep));
  EXPECT_FALSE(decode_v2_error(deep));
  const auto event = decode_v2_event(std::string(4 << 20, 'x'));
  ASSERT_FALSE(event);
  EXPECT_LT(event.error().message().size(), 500U);
}

const std::string kRefreshed =
    R"({"action":"compareAndSwap","node":{"key":"/s/a","value":"v 1","expiration":"2026-11-22T21:44:56.756069003Z","ttl":5,"modifiedIndex":7,"createdIndex":4},"prevNode":{"key":"/s/a","value":"v 1","expiration":"2026-11-22T21:44:56.692634229Z","ttl":5,"modifiedIndex":6,"createdIndex":4}})";

TEST(EtcdV2Decode, NodeAfterAWrite) {
  const auto node = decode_v2_node(kRefreshed);
  ASSERT_TRUE(node) << node.error().message();
  EXPECT_EQ(node->value, "v 1");
  EXPECT_EQ(node->index, 7U);
  for (std::size_t length = 0; length < kRefreshed.size(); ++length)
    EXPECT_FALSE(decode_v2_node(kRefreshed.substr(0, length))) << length;
}

TEST(EtcdV2Decode, NodeOfTheWrongTypeIsAnError) {
  for (const auto* body : {"", "[]", "{}", R"({"node":7})", R"({"node":{"value":"x"}})",
                           R"({"node":{"value":"x","modifiedIndex":-1}})",
                           R"({"node":{"dir":true,"modifiedIndex":7}})"})
    EXPECT_FALSE(decode_v2_node(body)) << body;
}

TEST(EtcdV2Decode, RefreshIsKnownFrom23On) {
  for (const auto* version : {R"({"etcdserver":"2.3.0","etcdcluster":"2.3.0"})",
                              R"({"etcdserver":"2.10.1","etcdcluster":"2.10.0"})",
                              R"({"etcdserver":"3.4.23","etcdcluster":"3.4.0"})"})
    EXPECT_TRUE(v2_can_refresh(version)) << version;
  for (const auto* version :
       {"etcd 0.4.6", "", "{}", "[]", R"({"releaseVersion":"2.0.13","internalVersion":"2"})",
        R"({"etcdserver":"2.2.5","etcdcluster":"2.2.0"})",
        R"({"etcdserver":"2.3.8","etcdcluster":"2.2.0"})", R"({"etcdserver":"3.4.23"})",
        R"({"etcdserver":"2.3.8","etcdcluster":"not_decided"})",
        R"({"etcdserver":"3","etcdcluster":"3"})", R"({"etcdserver":"3.","etcdcluster":"3."})",
        R"({"etcdserver":"99999999999.9","etcdcluster":"3.4.0"})",
        R"({"etcdserver":7,"etcdcluster":7})"})
    EXPECT_FALSE(v2_can_refresh(version)) << version;
}

TEST(EtcdV2Decode, MortalKeysAreThoseWithATtlAtAnyDepth) {
  const auto keys = decode_v2_mortal_keys(
      R"({"action":"get","node":{"key":"/services","dir":true,"nodes":[{"key":"/services/web","dir":true,"ttl":9,"nodes":[{"key":"/services/web/a","value":"1","ttl":3,"modifiedIndex":8},{"key":"/services/web/b","value":"2","modifiedIndex":9}]},{"key":"/services/c","value":"3","ttl":1,"modifiedIndex":4}]}})");
  ASSERT_TRUE(keys) << keys.error().message();
  EXPECT_EQ(*keys, (std::vector<OwnKey>{{"/services/c", "3", 4}, {"/services/web/a", "1", 8}}));
  EXPECT_FALSE(decode_v2_mortal_keys("{}"));
}

}  // namespace
}  // namespace ambbpf
