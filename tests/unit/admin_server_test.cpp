// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "tests/unit/admin_fixture.h"
#include "userspace/admin/server.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

class AdminServerPromises : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::filesystem::path socket_ = directory_ / "test.sock";
};

TEST_F(AdminServerPromises, GivesTheProcessesReport) {
  ServingProcess process(socket_, answers(R"({"pid":7})"));
  const auto answer = get(socket_, "/status");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n{\"pid\":7}"));
}

TEST_F(AdminServerPromises, IgnoresTheQueryOfATarget) {
  ServingProcess process(socket_, answers("{}"));
  EXPECT_THAT(get(socket_, "/status?x=y"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerPromises, SaysThatTheLoopTurns) {
  ServingProcess process(socket_, answers("{}", "no endpoint yet"));
  EXPECT_THAT(get(socket_, "/healthz"), EndsWith("\r\n\r\nok\n"));
}

TEST_F(AdminServerPromises, SaysThatTheProcessIsReady) {
  ServingProcess process(socket_, answers("{}"));
  EXPECT_THAT(get(socket_, "/readyz"), EndsWith("\r\n\r\nready\n"));
}

TEST_F(AdminServerPromises, SaysWhyTheProcessIsNotReady) {
  ServingProcess process(socket_, answers("{}", "no endpoint yet"));
  const auto answer = get(socket_, "/readyz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nno endpoint yet\n"));
}

TEST_F(AdminServerPromises, KnowsNoOtherPaths) {
  ServingProcess process(socket_, answers("{}"));
  for (const auto* target : {"/index.html", "/statusx", "/status/", "*", "http://x/status", "/%2e"})
    EXPECT_THAT(get(socket_, target), StartsWith("HTTP/1.1 404 ")) << target;
}

TEST_F(AdminServerPromises, RefusesOtherMethodsWithoutReadingTheirBody) {
  ServingProcess process(socket_, answers("{}"));
  for (const auto* method : {"POST", "PUT", "DELETE", "OPTIONS", "BREW"}) {
    const auto answer = RawClient(socket_).ask(
        std::string(method) + " /status HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 ")) << method;
    EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n")) << method;
    EXPECT_THAT(answer, Not(HasSubstr("(reset)"))) << method;
  }
}

TEST_F(AdminServerPromises, SendsNoBodyToHead) {
  ServingProcess process(socket_, answers("{}"));
  for (const auto& [path, status] :
       {std::pair("/status", "200"), {"/nowhere", "404"}, {"/reload", "405"}}) {
    const auto answer = RawClient(socket_).ask("HEAD " + std::string(path) + " HTTP/1.1\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::string(status))) << path;
    EXPECT_THAT(answer, EndsWith("\r\n\r\n")) << path;
  }
  EXPECT_THAT(RawClient(socket_).ask("HEAD /status HTTP/1.1\r\n\r\n"),
              HasSubstr("Content-Length: 2\r\n"));
}

TEST_F(AdminServerPromises, GivesTheMetrics) {
  ServingProcess process(socket_, answers("{}"));
  const auto answer = get(socket_, "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nambbpf_draining 0\n"));
}

TEST_F(AdminServerPromises, CallsBadRequestsBad) {
  ServingProcess process(socket_, answers("{}"));
  for (const auto* request :
       {"\r\n\r\n\r\n", "hello\r\n\r\n", "GET /status\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
        "GET /status HTTP/2.0\r\n\r\n", "GET /status HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /status HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n"}) {
    EXPECT_THAT(RawClient(socket_).ask(request), StartsWith("HTTP/1.1 400 ")) << request;
  }
}

TEST_F(AdminServerPromises, CallsAnOverlongHeadTooLarge) {
  ServingProcess process(socket_, answers("{}"));
  const std::string filler(20'000, 'x');
  const auto answer = RawClient(socket_).ask("GET /status HTTP/1.1\r\nX: " + filler + "\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(answer, Not(HasSubstr("(reset)")));
}

TEST_F(AdminServerPromises, ServesARequestThatComesInPieces) {
  ServingProcess process(socket_, answers("{}"));
  RawClient client(socket_);
  for (const auto* piece : {"GE", "T /sta", "tus HTTP/1", ".1\r\n", "\r"}) {
    client.send(piece);
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_THAT(client.ask("\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerPromises, ClosesASlowConnectionAtTheDeadline) {
  AdminLimits limits;
  limits.request = 100ms;
  ServingProcess process(socket_, answers("{}"), limits);
  RawClient silent(socket_);
  RawClient slow(socket_);
  slow.send("GET /status HT");
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_EQ(slow.read_all(), "");
}

TEST_F(AdminServerPromises, AnswersWhileAThousandConnectionsAskForNothing) {
  raise_descriptor_limit();
  AdminLimits limits;
  limits.request = 1min;
  ServingProcess process(socket_, answers("{}"), limits);
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 1000; ++i) idle.push_back(std::make_unique<RawClient>(socket_));
  EXPECT_THAT(get(socket_, "/status"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(idle.front()->read_all(),
              AllOf(StartsWith("HTTP/1.1 503 "), Not(HasSubstr("(reset)"))));
  EXPECT_THAT(idle.back()->ask("GET /healthz HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerPromises, CountsConnectionsThatComeAllAtOnce) {
  AdminLimits limits;
  limits.connections = 2;
  AdminAnswers slow = answers("{}");
  slow.not_ready = [] {
    std::this_thread::sleep_for(100ms);  // meanwhile the others queue up
    return std::string();
  };
  ServingProcess process(socket_, std::move(slow), limits);
  RawClient busy(socket_);
  busy.send("GET /readyz HTTP/1.1\r\n\r\n");
  std::this_thread::sleep_for(20ms);
  std::vector<std::unique_ptr<RawClient>> crowd;
  for (int i = 0; i < 10; ++i) crowd.push_back(std::make_unique<RawClient>(socket_));
  for (std::size_t i = 0; i < crowd.size() - 2; ++i)
    EXPECT_THAT(crowd[i]->read_all(), StartsWith("HTTP/1.1 503 ")) << i;
  EXPECT_THAT(busy.read_all(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerPromises, OutlivesClientsThatVanish) {
  ServingProcess process(socket_, answers(std::string(1'000'000, 'x')));
  for (int i = 0; i < 100; ++i) RawClient(socket_).send("GET /status HTTP/1.1\r\n\r\n");
  for (int i = 0; i < 100; ++i) RawClient(socket_).send("GET /st");
  std::string answer;
  for (int i = 0; i < 100 && answer.size() < 1'000'000; ++i) answer = get(socket_, "/status");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerPromises, TellsWhoAsksWhileTooManyAreAnsweredThatItIsBusy) {
  std::atomic<int> asked = 0;
  AdminAnswers large = answers("");
  large.status = [&] {
    ++asked;
    return std::string(10'000'000, 'x');  // more than a socket takes: it is to be read
  };
  AdminLimits limits;
  limits.connections = 2;
  ServingProcess process(socket_, std::move(large), limits);
  RawClient first(socket_);
  RawClient second(socket_);
  for (auto* client : {&first, &second}) client->send("GET /status HTTP/1.1\r\n\r\n");
  const auto deadline = Clock::now() + 5s;
  while (asked < 2 && Clock::now() < deadline) std::this_thread::sleep_for(1ms);
  const auto answer = get(socket_, "/status");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, EndsWith("\r\n\r\ntoo many connections\n"));
}

TEST_F(AdminServerPromises, ReloadsWhenItIsPosted) {
  AdminAnswers given = answers("{}");
  given.reload = [] { return ReloadAnswer{true, "service web: retries set to 1\n"}; };
  ServingProcess process(socket_, std::move(given));
  EXPECT_THAT(
      RawClient(socket_).ask("POST /reload HTTP/1.1\r\n\r\n"),
      AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\nservice web: retries set to 1\n")));
  EXPECT_THAT(get(socket_, "/reload"),
              AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: POST\r\n")));
}

TEST_F(AdminServerPromises, SaysWhatIsWrongWithAFile) {
  AdminAnswers given = answers("{}");
  given.reload = [] { return ReloadAnswer{false, "a.toml:1: no\n"}; };
  ServingProcess process(socket_, std::move(given));
  EXPECT_THAT(RawClient(socket_).ask("POST /reload HTTP/1.1\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 422 "), EndsWith("\r\n\r\na.toml:1: no\n")));
}

TEST_F(AdminServerPromises, CannotReloadWithoutAFile) {
  ServingProcess process(socket_, answers("{}"));
  EXPECT_THAT(RawClient(socket_).ask("POST /reload HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 409 "));
}

TEST_F(AdminServerPromises, ClosesItsConnectionsAndRemovesItsFileAtTheEnd) {
  ServingProcess process(socket_, answers("{}"));
  RawClient client(socket_);
  client.send("GET /sta");
  std::this_thread::sleep_for(20ms);
  process.end_server();
  EXPECT_EQ(client.read_all(), "");
  EXPECT_FALSE(std::filesystem::exists(socket_));
}

}  // namespace
}  // namespace ambbpf
