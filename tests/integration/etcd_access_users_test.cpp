// SPDX-License-Identifier: Apache-2.0
// Following a service in an etcd that wants to know who asks.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "tests/integration/etcd_follow.h"
#include "tests/support/fake_http.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using State = SourceStatus::State;

const EtcdUser kAmb{"amb", "pass\"word"};  // JSON has to escape it
constexpr auto* kInJson = R"(pass\"word)";
const EtcdUser kWrong{"amb", "wrong-secret"};

// The same users through either API.
struct Users {
  EtcdProcess& etcd;
  EtcdApi api;

  bool v2() const { return api == EtcdApi::kV2; }
  void enable() const {
    v2() ? etcd.enable_auth_v2() : etcd.enable_auth_v3();
    v2() ? etcd.add_user_v2("amb", kInJson) : etcd.add_user_v3("amb", kInJson);
  }
  void set_password(const std::string& password) const {
    v2() ? etcd.set_password_v2("amb", password) : etcd.set_password_v3("amb", password);
  }
};

class EtcdUsers : public ::testing::TestWithParam<EtcdApi> {
 protected:
  EtcdOptions options() {
    auto options = options_for({etcd.url()});
    options.request_timeout = 20s;  // longer than the loop stands still while users are made
    options.quiet_before_list = 500ms;
    return options;
  }
  Follow follow(const EtcdUser& user) { return {GetParam(), options(), "web", {}, user}; }

  EtcdProcess etcd;
  Keys keys{etcd, GetParam()};
  Users users{etcd, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Api, EtcdUsers, ::testing::Values(EtcdApi::kV2, EtcdApi::kV3),
                         [](const auto& api) { return api.param == EtcdApi::kV2 ? "v2" : "v3"; });

TEST_P(EtcdUsers, FollowsAsItsUser) {
  users.enable();
  keys.put("/services/web/web-1", "10.0.0.1:80");
  auto web = follow(kAmb);
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"})) << web.status().last_error;
  keys.put("/services/web/web-1", "10.0.0.2:80");
  EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  ASSERT_TRUE(web.until_listed_again());
  EXPECT_EQ(web.status().failures, 0U);
}

TEST_P(EtcdUsers, WrongPasswordIsAClearErrorThatDoesNotTellIt) {
  users.enable();
  auto web = follow(kWrong);
  ASSERT_TRUE(web.until_state_is(State::kFailing));
  web.turn_for(1s);
  const auto said = web.status().last_error;
  const auto* expected =
      users.v2() ? "The request requires user authentication" : "authenticate as 'amb' at ";
  EXPECT_NE(said.find(expected), std::string::npos) << said;
  EXPECT_NE(said.find(etcd.url()), std::string::npos) << said;
  EXPECT_EQ(said.find(kWrong.password), std::string::npos) << said;
  EXPECT_EQ(said.find('\n'), std::string::npos) << said;
  EXPECT_LE(web.status().failures, 10U) << "it does not go round in circles";
}

TEST_P(EtcdUsers, AnonymousIsRefused) {
  users.enable();
  Follow web(GetParam(), options());
  ASSERT_TRUE(web.until_state_is(State::kFailing));
  const auto said = web.status().last_error;
  const auto* expected =
      users.v2() ? "The request requires user authentication" : "user name is empty";
  EXPECT_NE(said.find(expected), std::string::npos) << said;
}

TEST_P(EtcdUsers, UserIsNoHindranceWhereNoneIsWanted) {
  keys.put("/services/web/web-1", "10.0.0.1:80");
  auto web = follow(kAmb);
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"})) << web.status().last_error;
  users.enable();
  ASSERT_TRUE(web.until_listed_again());
  keys.put("/services/web/web-1", "10.0.0.2:80");
  EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  EXPECT_EQ(web.status().failures, 0U);
}

TEST_P(EtcdUsers, KeepsTheSetWhileThePasswordIsAnother) {
  users.enable();
  keys.put("/services/web/web-1", "10.0.0.1:80");
  auto web = follow(kAmb);
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"})) << web.status().last_error;
  users.set_password("another");
  ASSERT_TRUE(web.until_state_is(State::kFailing));
  EXPECT_EQ(web.publications(), 1U);
  users.set_password(kInJson);
  ASSERT_TRUE(web.until_state_is(State::kFollowing)) << web.status().last_error;
  keys.put("/services/web/web-1", "10.0.0.2:80");
  EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  EXPECT_EQ(web.publications(), 2U);
}

TEST_P(EtcdUsers, FollowsOnAfterARestart) {
  users.enable();
  keys.put("/services/web/web-1", "10.0.0.1:80");
  auto web = follow(kAmb);
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"})) << web.status().last_error;
  etcd.kill();  // and with it every token that it gave
  etcd.start();
  ASSERT_TRUE(web.until_listed_again());
  ASSERT_TRUE(web.until_state_is(State::kFollowing)) << web.status().last_error;
  keys.put("/services/web/web-1", "10.0.0.2:80");
  EXPECT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  EXPECT_EQ(web.publications(), 2U);
}

TEST(EtcdV3Users, AuthenticationSwitchedOffAndOnIsFollowedThrough) {
  EtcdProcess etcd;
  const Users users{etcd, EtcdApi::kV3};
  users.enable();
  etcd.put_v3("/services/web/web-1", "10.0.0.1:80");
  auto options = options_for({etcd.url()});
  options.request_timeout = 20s;
  options.quiet_before_list = 300ms;
  Follow web(EtcdApi::kV3, options, "web", {}, kAmb);
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"})) << web.status().last_error;
  etcd.disable_auth_v3();
  ASSERT_TRUE(web.until_listed_again());
  etcd.put_v3("/services/web/web-1", "10.0.0.2:80");
  ASSERT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  etcd.enable_auth_v3();
  ASSERT_TRUE(web.until_listed_again());
  etcd.put_v3("/services/web/web-1", "10.0.0.3:80");
  EXPECT_TRUE(web.until_set_is({"10.0.0.3:80"}));
  EXPECT_EQ(web.status().failures, 0U);
}

TEST(EtcdV3Users, CertificateWithACommonNameIsExplained) {
  Authority authority;
  const EtcdTls tls{.server = authority.issue(),
                    .clients_ca = authority.certificate(),
                    .client = authority.issue()};
  EtcdProcess etcd({.enable_v2 = true, .tls = tls});
  const Users users{etcd, EtcdApi::kV3};
  users.enable();
  etcd.put_v3("/services/web/web-1", "10.0.0.1:80");
  const auto named = authority.issue({.common_name = "amb", .names = "DNS:amb.example", .days = 1});
  const auto follow_with = [&](const Certificate& own) {
    const HttpAccess access{.unix_socket = {},
                            .ca = authority.certificate(),
                            .certificate = own.certificate,
                            .key = own.key};
    return Follow(EtcdApi::kV3, options_for({etcd.url()}), "web", access, kAmb);
  };
  auto refused = follow_with(named);
  ASSERT_TRUE(refused.until_state_is(State::kFailing));
  EXPECT_NE(refused.status().last_error.find("takes no client certificate with a CommonName"),
            std::string::npos)
      << refused.status().last_error;
  auto web = follow_with(authority.issue());
  EXPECT_TRUE(web.until_set_is({"10.0.0.1:80"})) << web.status().last_error;
}

const std::string kRefused =
    R"({"error":"etcdserver: invalid auth token","message":"etcdserver: invalid auth token","code":16})";

std::string path_of(const std::string& head) {
  return head.substr(head.find(' ') + 1, head.find(" HTTP") - head.find(' ') - 1);
}

// Gives the tokens t1, t2, ..., and takes only the one that is `good`.
class TokenServer {
 public:
  explicit TokenServer(int good) : good_("Authorization: t" + std::to_string(good) + "\r\n") {}

  int given() const { return given_; }
  std::string url() const { return server_.url(); }

 private:
  FakeAnswer answer(const std::string& head) {
    if (path_of(head) == "/v3/auth/authenticate")
      return {fake_answer("200 OK", "", R"({"token":"t)" + std::to_string(++given_) + "\"}")};
    if (head.find(good_) == std::string::npos)
      return {fake_answer("401 Unauthorized", "", kRefused)};
    return {fake_answer("200 OK", "", R"({"header":{}})")};
  }

  std::string good_;
  std::atomic<int> given_ = 0;
  FakeHttp server_{[this](const std::string& head) { return answer(head); }};
};

awaitable<void> put(EtcdClient& client, std::string url, std::vector<int>& statuses) {
  const auto answer = co_await client.request_v3(url, "/kv/put", "{}", 5s);
  statuses.push_back(answer ? answer->head.status : 0);
}

std::vector<int> put_ten_at_once(const std::string& url) {
  asio::io_context io;
  EtcdClient client(io.get_executor(), {}, kAmb);
  std::vector<int> statuses;
  for (int i = 0; i < 10; ++i) spawn(io, put(client, url, statuses));
  io.run();
  return statuses;
}

TEST(EtcdV3Token, OneIsFetchedForAllRequests) {
  TokenServer server(1);
  EXPECT_EQ(put_ten_at_once(server.url()), std::vector<int>(10, 200));
  EXPECT_EQ(server.given(), 1);
}

TEST(EtcdV3Token, OneIsFetchedForAllThatAreRefused) {
  TokenServer server(2);
  EXPECT_EQ(put_ten_at_once(server.url()), std::vector<int>(10, 200));
  EXPECT_EQ(server.given(), 2);
}

TEST(EtcdV3Token, RequestIsRepeatedOnceOnly) {
  TokenServer server(1000);
  EXPECT_EQ(put_ten_at_once(server.url()), std::vector<int>(10, 401));
  EXPECT_LE(server.given(), 11) << "and nobody fetches more than its own second one";
}

TEST(EtcdV3Token, PasswordIsNotRedirected) {
  FakeHttp other(
      [](const std::string&) { return FakeAnswer{fake_answer("200 OK", "", R"({"token":"t"})")}; });
  FakeHttp server([&](const std::string& head) {
    return FakeAnswer{fake_answer("307 Temporary Redirect",
                                  "Location: " + other.url() + path_of(head) + "\r\n", "")};
  });
  EXPECT_EQ(put_ten_at_once(server.url()), std::vector<int>(10, 0));
  EXPECT_EQ(other.requests(), 0);
}

awaitable<void> give_up(EtcdV3Token& token, std::optional<Result<std::string>>& got) {
  EtcdV3Token::Fetch never = []() -> awaitable<Result<std::string>> {
    for (;;) co_await sleep_for(1h);
  };
  got = co_await token.get(std::move(never));
}

TEST(EtcdV3Token, FetchThatIsGivenUpLeavesNobodyWaiting) {
  asio::io_context io;
  EtcdV3Token token(io.get_executor());
  std::optional<Result<std::string>> mine;
  std::optional<Result<std::string>> others;
  asio::cancellation_signal deadline;
  asio::co_spawn(io, give_up(token, mine),
                 asio::bind_cancellation_slot(deadline.slot(), [](const std::exception_ptr&) {}));
  spawn(io, give_up(token, others));
  io.poll();
  deadline.emit(asio::cancellation_type::terminal);
  io.run_for(5s);
  ASSERT_TRUE(others);
  EXPECT_FALSE(others->has_value());
}

}  // namespace
}  // namespace ambbpf::test
