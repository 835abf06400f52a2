// SPDX-License-Identifier: Apache-2.0
// What the admin server lets others do who come by TCP.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "tests/unit/admin_fixture.h"
#include "userspace/admin/server.h"
#include "userspace/proxy/listen.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class AdminByNetwork : public testing::Test {
 protected:
  void serve(AdminAnswers given, AdminLimits limits = {}) {
    auto listening = listen_on({asio::ip::address_v4::loopback(), 0}, 1);
    ASSERT_TRUE(listening) << listening.error().message();
    address_ = listening->address;
    process_ = std::make_unique<ServingProcess>(std::move(listening->sockets.front()),
                                                std::vector<std::string>{"node1.example"},
                                                std::move(given), limits);
  }
  std::string ask(const std::string& request) { return RawClient(address_).ask(request); }
  std::string ask_for(const std::string& target, const std::string& method = "GET") {
    return ask(method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  }

  tcp::endpoint address_;
  std::unique_ptr<ServingProcess> process_;
};

TEST_F(AdminByNetwork, LetsReadMetricsStatusAndHistory) {
  serve(answers(R"({"pid":7})"));
  EXPECT_THAT(ask_for("/metrics"),
              AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\nambbpf_draining 0\n")));
  EXPECT_THAT(ask_for("/status"), EndsWith("\r\n\r\n{\"pid\":7}"));
  EXPECT_THAT(ask_for("/history"), EndsWith("\r\n\r\n{\"every_ms\":5000}"));
  EXPECT_THAT(ask_for("/metrics", "HEAD"),
              AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\n")));
}

TEST_F(AdminByNetwork, LetsNobodyDoAnything) {
  int reloads = 0;
  auto given = answers("{}");
  given.reload = [&reloads] {
    ++reloads;
    return ReloadAnswer{true, ""};
  };
  serve(std::move(given));
  EXPECT_THAT(ask_for("/reload", "POST"), StartsWith("HTTP/1.1 404 "));
  for (const auto* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
    EXPECT_THAT(ask_for("/metrics", method),
                AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD\r\n")))
        << method;
  process_.reset();
  EXPECT_EQ(reloads, 0);
}

TEST_F(AdminByNetwork, KnowsNoOtherPathsHoweverTheyAreWritten) {
  serve(answers("secret"));
  for (const auto* target :
       {"/healthz", "/readyz", "//status", "/./status", "/metrics/../status", "/%73tatus",
        "/status/", "/status%00", "http://127.0.0.1/status", "*", "/status;x"})
    EXPECT_THAT(ask_for(target), AllOf(StartsWith("HTTP/1.1 404 "), Not(HasSubstr("secret"))))
        << target;
}

TEST_F(AdminByNetwork, AnswersToItsAddressesAndNamesOnly) {
  serve(answers("secret"));
  const auto with_hosts = [this](const std::string& fields) {
    return ask("GET /status HTTP/1.1\r\n" + fields + "\r\n");
  };
  for (const auto* fields : {"Host: 127.0.0.1:9110\r\n", "Host: localhost\r\n",
                             "Host: node1.example:9110\r\n", "host: [::1]\r\n"})
    EXPECT_THAT(with_hosts(fields), StartsWith("HTTP/1.1 200 ")) << fields;
  for (const auto* fields :
       {"", "Host: \r\n", "Host: rebound.example\r\n", "Host: 127.0.0.1.rebound.example\r\n",
        "Host: 127.0.0.1\r\nHost: rebound.example\r\n"})
    EXPECT_THAT(with_hosts(fields), AllOf(StartsWith("HTTP/1.1 421 "), Not(HasSubstr("secret"))))
        << fields;
}

TEST_F(AdminByNetwork, ReadsNoMoreOfARequestThanItHasTo) {
  serve(answers("{}"));
  const auto with_body = [this](std::size_t announced, std::size_t sent) {
    return ask("GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " +
               std::to_string(announced) + "\r\n\r\n" + std::string(sent, 'x'));
  };
  EXPECT_THAT(with_body(10'000, 5), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(with_body(1'000'000'000, 10'000), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask("GET /status HTTP/1.1\r\nX: " + std::string(20'000, 'x')),
              StartsWith("HTTP/1.1 431 "));
}

TEST_F(AdminByNetwork, AnswersWhileOthersAskSlowlyOrNothing) {
  AdminLimits limits{.connections = 8};
  limits.request = 1min;
  serve(answers("{}"), limits);
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 200; ++i) {
    idle.push_back(std::make_unique<RawClient>(address_));
    idle.back()->send("GET /sta");
  }
  EXPECT_THAT(ask_for("/status"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(idle.front()->read_all(), StartsWith("HTTP/1.1 503 "));
}

TEST_F(AdminByNetwork, CutsOffWhoDoesNotReadItsAnswerWhenOthersAsk) {
  AdminLimits limits{.connections = 1, .patience = 100ms};
  auto large = answers("");
  std::atomic<bool> asked = false;
  large.status = [&asked] {
    asked = true;
    return std::string(20'000'000, 'x');  // more than the kernel takes
  };
  serve(std::move(large), limits);
  RawClient greedy(address_);
  greedy.send("GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  const auto deadline = Clock::now() + 8s;  // before the deadline of answers is over
  while (!asked && Clock::now() < deadline) std::this_thread::sleep_for(1ms);
  std::string answer;
  while (!answer.starts_with("HTTP/1.1 200 ") && Clock::now() < deadline)
    answer = ask_for("/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(greedy.read_all(), EndsWith("(reset)"));
  process_.reset();
}

TEST_F(AdminByNetwork, ClosesASlowConnectionAtTheDeadline) {
  AdminLimits limits;
  limits.request = 100ms;
  serve(answers("{}"), limits);
  RawClient slow(address_);
  slow.send("GET /status HT");
  EXPECT_EQ(slow.read_all(), "");
}

}  // namespace
}  // namespace ambbpf
