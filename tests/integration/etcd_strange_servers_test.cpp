// SPDX-License-Identifier: Apache-2.0
// Servers that answer what no etcd should, or what only other versions of etcd do.
#include <gtest/gtest.h>

#include <atomic>

#include "tests/integration/etcd_follow.h"
#include "tests/support/fake_http.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using State = SourceStatus::State;

bool is_watch(const std::string& head) {
  return head.find("wait=true") != std::string::npos || head.find("/watch") != std::string::npos;
}

const std::string kV2Fields = "X-Etcd-Index: 7\r\nX-Etcd-Cluster-Id: 536f0188ef2075ac\r\n";
const std::string kV2Listing =
    R"({"action":"get","node":{"key":"/services/web","dir":true,"nodes":[)"
    R"({"key":"/services/web/web-1","value":"10.0.0.1:80","modifiedIndex":5,"createdIndex":5}]}})";
const std::string kV3Header =
    R"("header":{"cluster_id":"6012025715201963436","revision":"3","raft_term":"2"})";
// "/services/web/web-1" and "10.0.0.1:80"
const std::string kV3Listing =
    "{" + kV3Header +
    R"(,"kvs":[{"key":"L3NlcnZpY2VzL3dlYi93ZWItMQ==","mod_revision":"2","value":"MTAuMC4wLjE6ODA="}],"count":"1"})";

FakeAnswer listing(EtcdApi api) {
  return {api == EtcdApi::kV2 ? fake_answer("200 OK", kV2Fields, kV2Listing)
                              : fake_answer("200 OK", "", kV3Listing)};
}

class StrangeWatch : public ::testing::TestWithParam<EtcdApi> {
 protected:
  // Lists well, and answers every watch with `watch`.
  void expect_calm(const FakeAnswer& watch) {
    std::atomic<int> watches = 0;
    FakeHttp server([&, api = GetParam()](const std::string& head) {
      if (!is_watch(head)) return listing(api);
      ++watches;
      return watch;
    });
    Follow web(GetParam(), options_for({server.url()}));
    ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
    web.turn_for(2s);
    EXPECT_EQ(web.publications(), 1U);
    EXPECT_GE(watches, 3) << "tried again";
    EXPECT_LE(watches, 12) << "without going round in circles";
  }
};

INSTANTIATE_TEST_SUITE_P(Api, StrangeWatch, ::testing::Values(EtcdApi::kV2, EtcdApi::kV3),
                         [](const auto& api) { return api.param == EtcdApi::kV2 ? "v2" : "v3"; });

TEST_P(StrangeWatch, EmptyAnswerIsEndured) { expect_calm({fake_answer("200 OK", kV2Fields, "")}); }

TEST_P(StrangeWatch, GarbageIsEndured) {
  expect_calm({fake_answer("200 OK", kV2Fields, "\x01\x02 garbage }{\n\n\x1b[31m\n")});
}

TEST_P(StrangeWatch, ConnectionClosedWithoutAnAnswerIsEndured) { expect_calm({""}); }

TEST_P(StrangeWatch, AnswerCutOffIsEndured) {
  expect_calm({fake_answer("200 OK", kV2Fields + "Content-Length: 5000\r\n", "{\"result\":{")});
}

TEST_P(StrangeWatch, ServerErrorIsEndured) {
  expect_calm({fake_answer("503 Service Unavailable", "", R"({"error":"no leader","code":14})")});
}

TEST_P(StrangeWatch, LineWithoutEndIsEndured) {
  expect_calm({fake_answer("200 OK", kV2Fields, std::string(17 << 20, '['))});
}

TEST_P(StrangeWatch, RepeatedEventIsEndured) {
  expect_calm({fake_answer("200 OK", kV2Fields,
                           R"({"action":"set","node":{"key":"/services/web/web-1",)"
                           R"("value":"10.0.0.1:80","modifiedIndex":7,"createdIndex":7}})"
                           "\n")});
}

TEST_P(StrangeWatch, SilenceIsFollowedByAnotherListing) {
  FakeHttp server([api = GetParam()](const std::string& head) {
    if (!is_watch(head)) return listing(api);
    return FakeAnswer{"HTTP/1.1 200 OK\r\n" + kV2Fields + "\r\n", true};
  });
  auto options = options_for({server.url()});
  options.quiet_before_list = 300ms;
  Follow web(GetParam(), options);
  ASSERT_TRUE(web.until([&] { return web.status().lists >= 4; }));
  EXPECT_EQ(web.publications(), 1U);
  EXPECT_EQ(web.status().failures, 0U);
}

class StrangeList : public ::testing::TestWithParam<EtcdApi> {
 protected:
  void expect_failing(const FakeAnswer& answer) {
    FakeHttp server([&](const std::string&) { return answer; });
    auto options = options_for({server.url()});
    options.request_timeout = 300ms;
    Follow web(GetParam(), options);
    ASSERT_TRUE(web.until_state_is(State::kFailing));
    EXPECT_FALSE(web.has_published());
    for (const char c : web.status().last_error) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
    EXPECT_LT(web.status().last_error.size(), 600U);
  }
};

INSTANTIATE_TEST_SUITE_P(Api, StrangeList, ::testing::Values(EtcdApi::kV2, EtcdApi::kV3),
                         [](const auto& api) { return api.param == EtcdApi::kV2 ? "v2" : "v3"; });

TEST_P(StrangeList, GarbageIsAFailure) {
  expect_failing({fake_answer("200 OK", kV2Fields, "<html>\r\n\x1b[31m" + std::string(5000, 'x'))});
}

TEST_P(StrangeList, SilenceIsAFailure) { expect_failing({"", true}); }

TEST_P(StrangeList, HeadWithoutEndIsAFailure) { expect_failing({"HTTP/1.1 200 OK\r\nX: y", true}); }

TEST_P(StrangeList, MoreThan16MiBAreAFailure) {
  FakeHttp server([](const std::string&) {
    return FakeAnswer{fake_answer("200 OK", kV2Fields, std::string(17 << 20, '['))};
  });
  Follow web(GetParam(), options_for({server.url()}));
  ASSERT_TRUE(web.until_state_is(State::kFailing));
  EXPECT_NE(web.status().last_error.find("more than 16777216 bytes"), std::string::npos)
      << web.status().last_error;
}

TEST_P(StrangeList, RedirectIsFollowedButNeverRemembered) {
  FakeHttp leader([api = GetParam()](const std::string& head) {
    return is_watch(head) ? FakeAnswer{fake_answer("200 OK", kV2Fields, "")} : listing(api);
  });
  FakeHttp member([&](const std::string& head) {
    const auto path = head.substr(head.find(' ') + 1, head.find(" HTTP") - head.find(' ') - 1);
    return FakeAnswer{
        fake_answer("307 Temporary Redirect", "Location: " + leader.url() + path + "\r\n", "")};
  });
  Follow web(GetParam(), options_for({member.url()}));
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  ASSERT_TRUE(web.until([&] { return leader.requests() >= 5; }));
  EXPECT_GE(member.requests(), leader.requests());
  EXPECT_NE(web.status().from.find(member.url()), std::string::npos);
}

TEST_P(StrangeList, RedirectsInACircleAreAFailure) {
  FakeHttp circle([](const std::string&) {
    return FakeAnswer{fake_answer("302 Found", "Location: /v2/keys/again\r\n", "")};
  });
  Follow web(GetParam(), options_for({circle.url()}));
  ASSERT_TRUE(web.until_state_is(State::kFailing));
  EXPECT_LE(circle.requests(), 8);
}

TEST_P(StrangeList, RedirectToAFileIsNotFollowed) {
  expect_failing({fake_answer("302 Found", "Location: file:///etc/passwd\r\n", "")});
}

awaitable<void> ask_often(HttpClient& http, std::string url, int& answers) {
  for (int i = 0; i < 20; ++i) {
    HttpRequest request;
    request.url = url;
    const auto response = co_await http.request(std::move(request));
    if (response && response->body == "here") ++answers;
  }
}

// libcurl closes the old socket and opens a new one, under the same number, within one turn. Were
// the new one not watched, each hop would wait for a timer of libcurl's of 200 ms.
TEST(HttpClientLoop, WatchesTheNextSocketOfTheSameNumber) {
  FakeHttp server([](const std::string& head) {
    if (head.find("/there") != std::string::npos)
      return FakeAnswer{fake_answer("200 OK", "", "here")};
    return FakeAnswer{fake_answer("302 Found", "Location: /there\r\n", "")};
  });
  asio::io_context io;
  HttpClient http(io.get_executor());
  int answers = 0;
  spawn(io, ask_often(http, server.url(), answers));
  const auto begin = Clock::now();
  io.run();
  EXPECT_EQ(answers, 20);
  EXPECT_LT(Clock::now() - begin, 2s);
}

// etcd 3.3 and 3.0 to 3.2 have their gateway elsewhere.
TEST(EtcdV3Gateways, OlderNamesAreFound) {
  for (const std::string gateway : {"/v3beta", "/v3alpha"}) {
    FakeHttp server([&](const std::string& head) {
      if (head.find("POST " + gateway + "/") == std::string::npos)
        return FakeAnswer{fake_answer("404 Not Found", "", "404 page not found\n")};
      if (!is_watch(head)) return listing(EtcdApi::kV3);
      const auto created = R"({"result":{)" + kV3Header + R"(,"created":true}})";
      return FakeAnswer{"HTTP/1.1 200 OK\r\n\r\n" + created + "\n", true};
    });
    Follow web(EtcdApi::kV3, options_for({server.url()}));
    ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"})) << gateway;
    EXPECT_EQ(web.status().failures, 0U);
  }
}

TEST(EtcdV3Watch, SeveralEventsOfOneMomentArePublishedAtOnce) {
  const auto events =
      R"({"result":{"header":{"cluster_id":"6012025715201963436","revision":"9"},)"
      R"("events":[{"type":"DELETE","kv":{"key":"L3NlcnZpY2VzL3dlYi93ZWItMQ==","mod_revision":"9"}},)"
      R"({"kv":{"key":"L3NlcnZpY2VzL3dlYi93ZWItMg==","mod_revision":"9","value":"MTAuMC4wLjI6ODA="}}]}})";
  FakeHttp server([&](const std::string& head) {
    if (!is_watch(head)) return listing(EtcdApi::kV3);
    return FakeAnswer{"HTTP/1.1 200 OK\r\n\r\n" + std::string(events) + "\n", true};
  });
  Follow web(EtcdApi::kV3, options_for({server.url()}));
  ASSERT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  EXPECT_EQ(web.publications(), 2U);
  EXPECT_EQ(web.status().events, 2U);
}

TEST(EtcdV3Watch, ManyLinesAtOnceAreAllTaken) {
  std::string lines;
  for (int revision = 4; revision < 20'000; ++revision)
    lines += R"({"result":{"header":{"cluster_id":"6012025715201963436","revision":")" +
             std::to_string(revision) +
             R"("},"events":[{"kv":{"key":"L3NlcnZpY2VzL3dlYi93ZWItMg==",)" +
             R"("mod_revision":")" + std::to_string(revision) +
             R"(","value":"MTAuMC4wLjI6ODA="}}]}})" + "\n";
  FakeHttp server([&](const std::string& head) {
    if (!is_watch(head)) return listing(EtcdApi::kV3);
    return FakeAnswer{"HTTP/1.1 200 OK\r\n\r\n" + lines, true};
  });
  Follow web(EtcdApi::kV3, options_for({server.url()}));
  ASSERT_TRUE(web.until([&] { return web.status().events == 20'000 - 4; }));
  EXPECT_EQ(web.publications(), 2U);
  EXPECT_EQ(web.status().lists, 1U);
}

// The error is as etcd writes it.
TEST(EtcdV2Watch, ClearedIndexLeadsToAListing) {
  std::atomic<int> watches = 0;
  FakeHttp server([&](const std::string& head) {
    if (!is_watch(head)) return listing(EtcdApi::kV2);
    ++watches;
    return FakeAnswer{fake_answer(
        "400 Bad Request", kV2Fields,
        R"({"errorCode":401,"message":"The event in requested index is outdated and cleared",)"
        R"("cause":"the requested history has been cleared [1008/8]","index":2007})"
        "\n")};
  });
  Follow web(EtcdApi::kV2, options_for({server.url()}));
  ASSERT_TRUE(web.until([&] { return watches >= 2; }));
  EXPECT_GE(web.status().lists, 2U);
  EXPECT_EQ(web.status().failures, 0U) << "an ordinary thing to happen";
}

// etcd 0.4 has no X-Etcd-Cluster-Id.
TEST(EtcdV2Watch, ServerWithoutAClusterIdIsFollowed) {
  std::atomic<int> watches = 0;
  FakeHttp server([&](const std::string& head) {
    if (!is_watch(head))
      return FakeAnswer{fake_answer("200 OK", "X-Etcd-Index: 7\r\n", kV2Listing)};
    const bool first = ++watches == 1;
    const std::string event =
        R"({"action":"set","node":{"key":"/services/web/web-2","value":"10.0.0.2:80",)"
        R"("modifiedIndex":8,"createdIndex":8}})";
    if (!first) return FakeAnswer{"HTTP/1.1 200 OK\r\nX-Etcd-Index: 8\r\n\r\n", true};
    return FakeAnswer{fake_answer("200 OK", "x-etcd-index: 7\r\n", event)};
  });
  Follow web(EtcdApi::kV2, options_for({server.url()}));
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80", "10.0.0.2:80"}));
  ASSERT_TRUE(web.until([&] { return watches == 2; }));
  EXPECT_EQ(web.status().lists, 1U);
}

TEST(EtcdEnvironment, ProxyIsNotUsed) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  FakeHttp server([](const std::string&) { return listing(EtcdApi::kV2); });
  Follow web(EtcdApi::kV2, options_for({server.url()}));
  EXPECT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  unsetenv("http_proxy");
}

}  // namespace
}  // namespace ambbpf::test
