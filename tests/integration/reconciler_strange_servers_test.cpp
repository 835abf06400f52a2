// SPDX-License-Identifier: Apache-2.0
// Servers that answer what no etcd should, or what only other versions of etcd do.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "tests/integration/reconciler.h"
#include "tests/support/fake_http.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using State = RegisteredKey::State;

const std::string kNotFound = "404 page not found\n";
const std::string kVersion = R"({"etcdserver":"3.4.23","etcdcluster":"3.4.0"})";
const std::string kHeader = R"("header":{"cluster_id":"6012025715201963436","revision":"3"})";
const std::string kLease = "{" + kHeader + R"(,"ID":"7587883212297104388","TTL":"3"})";
const std::string kKeptLease = R"({"result":)" + kLease + "}\n";
const std::string kPut =
    "{" + kHeader + R"(,"succeeded":true,"responses":[{"response_put":{"header":{}}}]})";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

FakeAnswer ok(const std::string& body) { return {fake_answer("200 OK", "", body)}; }

std::string v2_node(const std::string& value) {
  return R"({"action":"set","node":{"key":"/services/web/web-1","value":")" + value +
         R"(","ttl":3,"modifiedIndex":7,"createdIndex":7}})";
}

// Answers as etcd does until something is to be written.
std::optional<FakeAnswer> opened(const std::string& head) {
  if (has(head, "GET /version ")) return ok(kVersion);
  if (has(head, "GET /v2/keys/ ")) return ok(R"({"action":"get","node":{"dir":true}})");
  if (has(head, "/lease/grant ")) return ok(kLease);
  if (has(head, "/lease/keepalive ")) return ok(kKeptLease);
  return std::nullopt;
}

void expect_one_plain_line(const std::string& text) {
  EXPECT_FALSE(text.empty());
  EXPECT_LT(text.size(), 600U);
  for (const char c : text) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << text;
}

struct Strange {
  std::string name;
  FakeAnswer answer;
};

const Strange kStrange[] = {
    {"Garbage", ok("<html>\r\n\x1b[31m" + std::string(5000, 'x'))},
    {"AnotherObject", ok(R"({"node":7,"header":7,"result":[],"ID":{}})")},
    {"EmptyBody", ok("")},
    {"NoHttp", {"\x01\x02\x03 garbage }{\n"}},
    {"ServerError", {fake_answer("500 Internal Server Error", "", "oops\n\x1b[31m")}},
    {"NoLeader",
     {fake_answer("503 Service Unavailable", "", R"({"error":"no leader","code":14})")}},
    {"V2NoLeader",
     {fake_answer("500 Internal Server Error", "",
                  R"({"errorCode":301,"message":"During Leader Election","index":0})")}},
    {"Silence", {"", true}},
    {"CutOff", {fake_answer("200 OK", "Content-Length: 5000\r\n", R"({"node":{)")}},
};

class ReconcilerStrange : public ::testing::TestWithParam<std::tuple<EtcdApi, Strange>> {
 protected:
  EtcdApi api() const { return std::get<0>(GetParam()); }
  const FakeAnswer& answer() const { return std::get<1>(GetParam()).answer; }

  static void expect_calm_failing(EtcdApi api, FakeHttp::Answer answer) {
    FakeHttp server(std::move(answer));
    Keep keep(api, {server.url()});
    keep.want({{kKey, kValue}});
    ASSERT_TRUE(keep.until_failing());
    Turning::turn_for(1s);
    EXPECT_TRUE(keep.status().failing);
    EXPECT_LE(server.requests(), 60) << "no busy loop";
    EXPECT_EQ(keep.key(kKey)->state, State::kPending);
    EXPECT_EQ(keep.status().writes, 0U);
    expect_one_plain_line(keep.status().last_error);
  }
};

std::string name_of(const ::testing::TestParamInfo<std::tuple<EtcdApi, Strange>>& setting) {
  const auto& [api, strange] = setting.param;
  return (api == EtcdApi::kV2 ? "v2_" : "v3_") + strange.name;
}

INSTANTIATE_TEST_SUITE_P(Api, ReconcilerStrange,
                         ::testing::Combine(::testing::Values(EtcdApi::kV2, EtcdApi::kV3),
                                            ::testing::ValuesIn(kStrange)),
                         name_of);

TEST_P(ReconcilerStrange, AnswerToEverythingIsAnError) {
  expect_calm_failing(api(), [this](const std::string&) { return answer(); });
}

TEST_P(ReconcilerStrange, AnswerToTheWriteIsAnError) {
  expect_calm_failing(api(),
                      [this](const std::string& head) { return opened(head).value_or(answer()); });
}

// The lease is kept alive, the look at the keys goes wrong: they are not taken for lost.
TEST(ReconcilerV3Strange, WrongCountOfKeysIsAnError) {
  std::atomic<int> transactions = 0;
  FakeHttp server([&](const std::string& head) {
    if (const auto answer = opened(head)) return *answer;
    return ok(++transactions == 1 ? kPut : "{" + kHeader + R"(,"succeeded":true,"responses":[]})");
  });
  Keep keep(EtcdApi::kV3, {server.url()});
  keep.want({{kKey, kValue}});
  ASSERT_TRUE(keep.until_kept(kKey));
  ASSERT_TRUE(keep.until_failing());
  EXPECT_TRUE(has(keep.status().last_error, "answers another question"));
  EXPECT_EQ(keep.key(kKey)->state, State::kKept);
}

TEST(ReconcilerV2Strange, RefusedUserIsShown) {
  FakeHttp server([](const std::string& head) {
    if (has(head, "GET /version ")) return ok(kVersion);
    return FakeAnswer{
        fake_answer("401 Unauthorized", "",
                    R"({"errorCode":110,"message":"The request requires user authentication",)"
                    R"("cause":"Insufficient credentials","index":0})")};
  });
  Keep keep(EtcdApi::kAuto, {server.url()});
  keep.want({{kKey, kValue}});
  ASSERT_TRUE(keep.until_failing());
  EXPECT_EQ(keep.status().last_error,
            "etcd says 110 The request requires user authentication (Insufficient credentials)");
  EXPECT_EQ(keep.key(kKey)->note, keep.status().last_error);
}

TEST(ReconcilerV3Strange, RefusedUserIsShown) {
  for (const std::string status : {"403 Forbidden", "401 Unauthorized"}) {
    FakeHttp server([&](const std::string& head) {
      if (const auto answer = opened(head)) return *answer;
      return FakeAnswer{fake_answer(
          status, "",
          R"({"error":"etcdserver: permission denied","message":"etcdserver: permission denied"})")};
    });
    Keep keep(EtcdApi::kV3, {server.url()});
    keep.want({{kKey, kValue}});
    ASSERT_TRUE(keep.until_failing());
    EXPECT_TRUE(has(keep.status().last_error, "etcd says 'etcdserver: permission denied'"))
        << keep.status().last_error;
  }
}

// Collects the request lines of what is written.
class OldEtcd {
 public:
  explicit OldEtcd(std::string version, std::string value_of_refresh)
      : server_([this, version, value_of_refresh](const std::string& head) {
          if (has(head, "GET /version ")) return ok(version);
          if (const auto answer = opened(head)) return *answer;
          const std::lock_guard lock(mutex_);
          writes_.push_back(head.substr(0, head.find("\r\n")));
          return ok(v2_node(has(head, "refresh=true") ? value_of_refresh : kValue));
        }) {}

  std::string url() const { return server_.url(); }
  std::vector<std::string> writes() {
    const std::lock_guard lock(mutex_);
    return writes_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> writes_;
  FakeHttp server_;
};

const std::string kPlain = "PUT /v2/keys/services/web/web-1?value=10.0.0.1%3A80&ttl=3";

TEST(ReconcilerV2Old, ServerWithoutRefreshIsGivenTheValue) {
  for (const std::string version :
       {"etcd 0.4.6", R"({"releaseVersion":"2.0.13","internalVersion":"2"})",
        R"({"etcdserver":"2.2.5","etcdcluster":"2.2.0"})",
        R"({"etcdserver":"2.3.8","etcdcluster":"2.2.0"})",
        R"({"etcdserver":"2.3.8","etcdcluster":"not_decided"})"}) {
    OldEtcd etcd(version, "");
    Keep keep(EtcdApi::kV2, {etcd.url()});
    keep.want({{kKey, kValue}});
    ASSERT_TRUE(Turning::until([&] { return etcd.writes().size() >= 2; }));
    EXPECT_EQ(etcd.writes()[0], kPlain + " HTTP/1.1");
    EXPECT_EQ(etcd.writes()[1], kPlain + "&prevValue=10.0.0.1%3A80 HTTP/1.1") << version;
  }
}

TEST(ReconcilerV2Old, ServerWithRefreshIsGivenNoValue) {
  for (const std::string version : {R"({"etcdserver":"2.3.0","etcdcluster":"2.3.0"})",
                                    R"({"etcdserver":"3.5.9","etcdcluster":"3.5.0"})"}) {
    OldEtcd etcd(version, kValue);
    Keep keep(EtcdApi::kV2, {etcd.url()});
    keep.want({{kKey, kValue}});
    ASSERT_TRUE(Turning::until([&] { return etcd.writes().size() >= 2; }));
    EXPECT_EQ(etcd.writes()[1],
              "PUT /v2/keys/services/web/web-1?ttl=3&refresh=true&prevValue=10.0.0.1%3A80 HTTP/1.1")
        << version;
  }
}

TEST(ReconcilerV2Old, ServerThatEmptiesTheValueIsGivenItAtOnceAndFromThenOn) {
  OldEtcd etcd(kVersion, "");
  Keep keep(EtcdApi::kV2, {etcd.url()});
  keep.want({{kKey, kValue}});
  ASSERT_TRUE(Turning::until([&] { return etcd.writes().size() >= 4; }));
  EXPECT_TRUE(has(etcd.writes()[1], "refresh=true"));
  EXPECT_EQ(etcd.writes()[2], kPlain + " HTTP/1.1");
  EXPECT_EQ(etcd.writes()[3], kPlain + "&prevValue=10.0.0.1%3A80 HTTP/1.1");
  EXPECT_EQ(keep.key(kKey)->state, State::kKept);
}

TEST(ReconcilerV3Old, LeaseIsRevokedUnderTheNameThatAllVersionsKnow) {
  for (const std::string gateway : {"/v3beta", "/v3alpha"}) {
    std::atomic<bool> revoked = false;
    FakeHttp server([&](const std::string& head) {
      if (!has(head, "POST " + gateway + "/"))
        return FakeAnswer{fake_answer("404 Not Found", "", kNotFound)};
      if (const auto answer = opened(head)) return *answer;
      if (has(head, "/kv/lease/revoke ")) revoked = true;
      return ok(kPut);
    });
    Keep keep(EtcdApi::kAuto, {server.url()});
    keep.want({{kKey, kValue}});
    ASSERT_TRUE(keep.until_kept(kKey)) << gateway;
    EXPECT_EQ(keep.status().api, "v3");
    ASSERT_TRUE(keep.withdraw());
    EXPECT_TRUE(revoked) << gateway;
  }
}

TEST(ReconcilerAutoStrange, ServerThatIsNoEtcdIsAnError) {
  FakeHttp server(
      [](const std::string&) { return FakeAnswer{fake_answer("404 Not Found", "", kNotFound)}; });
  Keep keep(EtcdApi::kAuto, {server.url()});
  ASSERT_TRUE(keep.until_failing());
  EXPECT_EQ(keep.status().last_error, server.url() + " serves neither of etcd's APIs, v2 and v3");
}

}  // namespace
}  // namespace ambbpf::test
