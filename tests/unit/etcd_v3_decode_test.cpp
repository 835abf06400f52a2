// SPDX-License-Identifier: Apache-2.0
// The bodies below were captured from etcd 3.4.23, unless said otherwise.
#include <gtest/gtest.h>

#include "userspace/etcd/base64.h"
#include "userspace/etcd/v3_decode.h"

namespace ambbpf {
namespace {

const std::string kV3Listing =
    R"({"header":{"cluster_id":"6012025715201963436","member_id":"6662698563040693991","revision":"3","raft_term":"2"},"kvs":[{"key":"L3NlcnZpY2VzL3dlYi93ZWItMQ==","create_revision":"2","mod_revision":"2","version":"1","value":"eyAicG9ydCI6IDQ5MTU1LCAiaG9zdCI6ICIxMC4wLjAuMSIsICJ3ZWlnaHQiOiAzIH0="},{"key":"L3NlcnZpY2VzL3dlYi93ZWItMg==","create_revision":"3","mod_revision":"3","version":"1","value":"MTAuMC4wLjI6ODA="}],"count":"2"})";

const std::string kPut =
    R"({"result":{"header":{"cluster_id":"6012025715201963436","member_id":"6662698563040693991","revision":"4","raft_term":"2"},"events":[{"kv":{"key":"L3NlcnZpY2VzL3dlYi93ZWItMw==","create_revision":"4","mod_revision":"4","version":"1","value":"MTAuMC4wLjM6ODA=","lease":"5685691191445161541"}}]}})";

std::string message_of(const std::string& line) {
  const auto watched = decode_v3_watched(line);
  return watched ? "accepted" : watched.error().message();
}

TEST(EtcdV3Decode, Listing) {
  const auto listing = decode_v3_listing(kV3Listing);
  ASSERT_TRUE(listing) << listing.error().message();
  EXPECT_EQ(listing->position, (EtcdPosition{"6012025715201963436", 3}));
  ASSERT_EQ(listing->keys.size(), 2U);
  EXPECT_EQ(listing->keys[0].value, R"({ "port": 49155, "host": "10.0.0.1", "weight": 3 })");
  EXPECT_EQ(listing->keys[1], (EtcdKey{"/services/web/web-2", "10.0.0.2:80"}));
}

TEST(EtcdV3Decode, EmptyListingHasNoKvs) {
  const auto listing = decode_v3_listing(
      R"({"header":{"cluster_id":"6012025715201963436","member_id":"6662698563040693991","revision":"1","raft_term":"2"}})");
  ASSERT_TRUE(listing);
  EXPECT_TRUE(listing->keys.empty());
  EXPECT_EQ(listing->position.index, 1U);
}

TEST(EtcdV3Decode, WatchedPut) {
  const auto watched = decode_v3_watched(kPut);
  ASSERT_TRUE(watched) << watched.error().message();
  ASSERT_EQ(watched->changes.size(), 1U);
  EXPECT_EQ(watched->changes[0], (EtcdChange{"/services/web/web-3", "10.0.0.3:80", false, 4}));
  EXPECT_EQ(watched->index, 4U);
}

TEST(EtcdV3Decode, WatchedDeletes) {
  const auto watched = decode_v3_watched(
      R"({"result":{"header":{"cluster_id":"6012025715201963436","member_id":"6662698563040693991","revision":"8","raft_term":"2"},"events":[{"type":"DELETE","kv":{"key":"L3NlcnZpY2VzL3dlYi9hL2RlZXA=","mod_revision":"8"}},{"type":"DELETE","kv":{"key":"L3NlcnZpY2VzL3dlYi93ZWItMg==","mod_revision":"8"}}]}})");
  ASSERT_TRUE(watched);
  ASSERT_EQ(watched->changes.size(), 2U);
  EXPECT_EQ(watched->changes[1], (EtcdChange{"/services/web/web-2", std::nullopt, true, 8}));
}

TEST(EtcdV3Decode, CreatedIsNoNews) {
  const auto watched = decode_v3_watched(
      R"({"result":{"header":{"cluster_id":"6012025715201963436","member_id":"6662698563040693991","revision":"8","raft_term":"2"},"created":true}})");
  ASSERT_TRUE(watched);
  EXPECT_TRUE(watched->changes.empty());
  EXPECT_EQ(watched->position.index, 8U);
  EXPECT_EQ(watched->index, 0U) << "events up to revision 8 may still come";
}

// Written after the documentation: etcd sends it every ten minutes.
TEST(EtcdV3Decode, ProgressAdvances) {
  const auto watched = decode_v3_watched(
      R"({"result":{"header":{"cluster_id":"6012025715201963436","member_id":"6662698563040693991","revision":"42","raft_term":"2"}}})");
  ASSERT_TRUE(watched);
  EXPECT_TRUE(watched->changes.empty());
  EXPECT_EQ(watched->index, 42U);
}

TEST(EtcdV3Decode, CompactionEndsTheWatch) {
  const auto watched = decode_v3_watched(
      R"({"result":{"header":{"cluster_id":"6012025715201963436","member_id":"6662698563040693991","raft_term":"2"},"canceled":true,"compact_revision":"5"}})");
  ASSERT_TRUE(watched);
  EXPECT_EQ(watched->canceled, "etcd has compacted its history up to revision 5");
  const auto canceled = decode_v3_watched(
      R"({"result":{"header":{"revision":"8"},"canceled":true,"cancel_reason":"permission\ndenied"}})");
  ASSERT_TRUE(canceled);
  EXPECT_EQ(canceled->canceled, R"(etcd canceled the watch: 'permission\ndenied')");
}

TEST(EtcdV3Decode, ErrorLineIsAnError) {
  EXPECT_EQ(
      message_of(
          R"({"error":{"grpc_code":14,"http_code":503,"message":"transport is closing","http_status":"Service Unavailable"}})"),
      "etcd says 'transport is closing'");
}

TEST(EtcdV3Decode, ErrorBodiesOfAllAges) {
  EXPECT_EQ(
      decode_v3_error(
          R"({"error":"etcdserver: mvcc: required revision has been compacted","message":"etcdserver: mvcc: required revision has been compacted","code":11})"),
      "etcd says 'etcdserver: mvcc: required revision has been compacted'");
  // 3.6 and later, after its documentation
  EXPECT_EQ(
      decode_v3_error(R"({"code":16,"message":"etcdserver: invalid auth token","details":[]})"),
      "etcd says 'etcdserver: invalid auth token'");
  EXPECT_EQ(decode_v3_error(R"({"error":"old","code":2})"), "etcd says 'old'");
  EXPECT_EQ(decode_v3_error("<html>\n"), R"('<html>\n')");
  EXPECT_EQ(decode_v3_error(""), "''");
  EXPECT_EQ(decode_v3_error("[7]"), "'[7]'");
}

TEST(EtcdV3Decode, GatewaysWordForACommonNameIsExplained) {
  EXPECT_EQ(
      decode_v3_error("CommonName of client sending a request against gateway will be ignored "
                      "and not used as expected\n"),
      "an etcd with authentication takes no client certificate with a CommonName at its JSON "
      "gateway: one without is needed");
}

TEST(EtcdV3Decode, Token) {
  EXPECT_EQ(
      decode_v3_token(
          R"({"header":{"cluster_id":"15118495548433857066","member_id":"13668033151171901709","revision":"1","raft_term":"2"},"token":"IVzCQhramKcgDAES.13"})"),
      "IVzCQhramKcgDAES.13");
  EXPECT_EQ(
      decode_v3_token(
          R"({"error":"etcdserver: authentication is not enabled","message":"etcdserver: authentication is not enabled","code":9})"),
      "");
  const auto refused = decode_v3_token(
      R"({"error":"etcdserver: authentication failed, invalid user ID or password","message":"etcdserver: authentication failed, invalid user ID or password","code":3})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(),
            "etcd says 'etcdserver: authentication failed, invalid user ID or password'");
}

TEST(EtcdV3Decode, TokenThatWouldSplitTheHeaderIsRefused) {
  for (const auto* body : {R"({"token":"a\r\nHost: b"})", R"({"token":"a b"})", R"({"token":""})",
                           R"({"token":7})", R"({"token":"\u00e4"})", "{}", "[]", "", "<html>"})
    EXPECT_FALSE(decode_v3_token(body)) << body;
}

TEST(EtcdV3Decode, RefusalsThatAnotherTokenMayHeal) {
  for (
      const auto* body :
      {R"({"error":"etcdserver: invalid auth token","message":"etcdserver: invalid auth token","code":16})",
       R"({"error":"etcdserver: user name is empty","message":"etcdserver: user name is empty","code":3})",
       // 3.5 and 3.6, after their sources
       R"({"error":"etcdserver: revision of auth store is old","code":3})",
       R"({"code":16,"message":"etcdserver: something new","details":[]})",
       R"({"error":{"grpc_code":16,"http_code":401,"message":"etcdserver: invalid auth token"}})"})
    EXPECT_TRUE(v3_refuses_token(body)) << body;
  for (
      const auto* body :
      {R"({"error":"etcdserver: permission denied","message":"etcdserver: permission denied","code":7})",
       R"({"error":"etcdserver: duplicate key given in txn request","code":3})", "{}", "[16]", ""})
    EXPECT_FALSE(v3_refuses_token(body)) << body;
}

TEST(EtcdV3Decode, EveryCutIsAnError) {
  for (std::size_t length = 0; length < kV3Listing.size(); ++length)
    EXPECT_FALSE(decode_v3_listing(kV3Listing.substr(0, length))) << length;
  for (std::size_t length = 0; length < kPut.size(); ++length)
    EXPECT_FALSE(decode_v3_watched(kPut.substr(0, length))) << length;
}

TEST(EtcdV3Decode, ConcatenatedAnswersAreAnError) {
  EXPECT_FALSE(decode_v3_watched(kPut + kPut));
  EXPECT_FALSE(decode_v3_listing(kV3Listing + kV3Listing));
}

TEST(EtcdV3Decode, WhatFollowsANulIsAnError) {
  const std::string answer = R"({"header":{"revision":"2"}})";
  EXPECT_TRUE(decode_v3_listing(answer));
  EXPECT_FALSE(decode_v3_listing(answer + '\0' + "more"));
}

TEST(EtcdV3Decode, WrongTypesAreErrors) {
  for (const auto* body : {"null", "[]", "{}", R"({"header":7})", R"({"header":{},"kvs":[7]})",
                           R"({"header":{},"kvs":[{}]})", R"({"header":{},"kvs":[{"key":7}]})",
                           R"({"header":{},"kvs":[{"key":"YQ==","value":"not base64!"}]})",
                           R"({"header":{},"kvs":[{"key":"YQ=","value":""}]})"})
    EXPECT_FALSE(decode_v3_listing(body)) << body;
  for (const auto* line :
       {"null", "[]", "{}", R"({"result":7})", R"({"result":{}})", R"({"error":7})",
        R"({"error":null})", R"({"result":{"header":{},"events":[7]}})",
        R"({"result":{"header":{},"events":[{}]}})",
        R"({"result":{"header":{},"events":[{"kv":7}]}})",
        R"({"result":{"header":{},"events":[{"type":7,"kv":{"key":"!"}}]}})"})
    EXPECT_FALSE(decode_v3_watched(line)) << line;
}

TEST(EtcdV3Decode, HugeAndDeepBodiesAreErrors) {
  const std::string deep(4 << 20, '[');
  EXPECT_FALSE(decode_v3_listing(deep));
  EXPECT_LT(message_of(deep).size(), 500U);
  EXPECT_LT(decode_v3_error(deep).size(), 500U);
}

const std::string kRead =
    R"({"header":{"cluster_id":"12101053776118486841","member_id":"15985099378392235387","revision":"2","raft_term":"2"},"succeeded":true,"responses":[{"response_range":{"header":{"revision":"2"},"kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"2","version":"1","value":"Yg==","lease":"9041998820175445303"}],"count":"1"}},{"response_range":{"header":{"revision":"2"}}}]})";

TEST(EtcdV3Decode, TransactionThatReads) {
  const auto txn = decode_v3_txn(kRead);
  ASSERT_TRUE(txn) << txn.error().message();
  EXPECT_TRUE(txn->succeeded);
  ASSERT_EQ(txn->found.size(), 2U);
  ASSERT_TRUE(txn->found[0]);
  EXPECT_EQ(txn->found[0]->value, "b");
  EXPECT_EQ(txn->found[0]->index, 2U);
  EXPECT_EQ(txn->found[0]->lease, 9041998820175445303U);
  EXPECT_FALSE(txn->found[1]);
  for (std::size_t length = 0; length < kRead.size(); ++length)
    EXPECT_FALSE(decode_v3_txn(kRead.substr(0, length))) << length;
}

TEST(EtcdV3Decode, TransactionThatWrites) {
  const auto put = decode_v3_txn(
      R"({"header":{"revision":"2"},"succeeded":true,"responses":[{"response_put":{"header":{"revision":"2"}}}]})");
  ASSERT_TRUE(put);
  EXPECT_TRUE(put->succeeded);
  EXPECT_EQ(put->revision, 2U);
  EXPECT_TRUE(put->found.empty());
  const auto held = decode_v3_txn(
      R"({"header":{"revision":"2"},"responses":[{"response_range":{"header":{"revision":"2"}}}]})");
  ASSERT_TRUE(held);
  EXPECT_FALSE(held->succeeded);
  EXPECT_EQ(held->found.size(), 1U);
}

TEST(EtcdV3Decode, Leases) {
  const auto granted =
      decode_v3_lease(R"({"header":{"revision":"1"},"ID":"9041998820175445299","TTL":"5"})");
  ASSERT_TRUE(granted);
  EXPECT_EQ(granted->id, 9041998820175445299U);
  EXPECT_EQ(granted->ttl, std::chrono::seconds(5));
  const auto kept =
      decode_v3_kept_lease(R"({"result":{"header":{},"ID":"9041998820175445303","TTL":"500"}})"
                           "\n");
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->ttl, std::chrono::seconds(500));
  const auto lost = decode_v3_kept_lease(R"({"result":{"header":{},"ID":"123"}})"
                                         "\n");
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->ttl, std::chrono::seconds(0));
  const auto error = decode_v3_kept_lease(R"({"error":{"message":"no leader"}})");
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().message(), "etcd says 'no leader'");
}

TEST(EtcdV3Decode, WrongTypesOfWritesAreErrors) {
  for (const auto* body : {"", "null", "[]", "{}", R"({"ID":[]})", R"({"ID":"x"})", R"({"ID":-1})"})
    EXPECT_FALSE(decode_v3_lease(body)) << body;
  for (const auto* line : {"", "[]", "{}", R"({"result":7})", R"({"result":{}})"})
    EXPECT_FALSE(decode_v3_kept_lease(line)) << line;
  for (const auto* body :
       {"", "[]", "{}", R"({"header":7})",
        R"({"header":{},"responses":[{"response_range":{"kvs":[7]}}]})",
        R"({"header":{},"responses":[{"response_range":{"kvs":[{"value":"!"}]}}]})"})
    EXPECT_FALSE(decode_v3_txn(body)) << body;
}

TEST(EtcdV3Decode, MortalKeysAreThoseWithALease) {
  const auto keys = decode_v3_mortal_keys(
      R"({"header":{"revision":"9"},"kvs":[{"key":"L2E=","value":"MQ==","mod_revision":"7","lease":"5"},{"key":"L2I=","value":"Mg==","mod_revision":"8"}],"count":"2"})");
  ASSERT_TRUE(keys) << keys.error().message();
  EXPECT_EQ(*keys, (std::vector<OwnKey>{{"/a", "1", 7}}));
  EXPECT_FALSE(decode_v3_mortal_keys("{}"));
  EXPECT_FALSE(decode_v3_mortal_keys(R"({"header":{},"kvs":[{"key":"%"}]})"));
}

TEST(Base64, BothWays) {
  // RFC 4648, section 10
  for (const auto& [bytes, text] : {std::pair{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg=="},
                                    {"fooba", "Zm9vYmE="},
                                    {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(base64_decode(base64_encode(all)), all);
}

TEST(Base64, BadInputIsRefused) {
  for (const auto* text : {"A", "AA", "AAA", "AAAAA", "A===", "=AAA", "AA=A", "A=AA",
                           "====", "AA==AAAA", "AA A", "AA\n=", "AA-_", "AA\x80="})
    EXPECT_FALSE(base64_decode(text)) << text;
}

}  // namespace
}  // namespace ambbpf
