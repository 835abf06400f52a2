// SPDX-License-Identifier: Apache-2.0
// What hostile clients of the admin port (admin_listen) can do: nothing to connections, and to
// whoever scrapes no more than keep him waiting for a second.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "tests/integration/questions.h"
#include "tests/support/etcd_process.h"
#include "tests/support/free_port.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Of an 8th of the descriptors that are kept back: as many are answered as may wait
// (admin/server.h).
constexpr std::size_t kAnswered = 8;
constexpr std::size_t kMostHeld = 2 * kAnswered;

const std::string kScrape = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct Held {
  std::size_t descriptors = 0;
  std::size_t resident_kib = 0;
};

Held held_by(pid_t pid) {
  const auto proc = std::filesystem::path("/proc") / std::to_string(pid);
  Held held;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator(proc / "fd"))
    ++held.descriptors;
  std::ifstream status(proc / "status");
  for (std::string field; status >> field;)
    if (field == "VmRSS:") status >> held.resident_kib;
  return held;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kOwnAllocator = true;  // freed memory is kept for a while
#else
constexpr bool kOwnAllocator = false;
#endif

class ProgramHostileClients : public testing::Test {
 protected:
  void SetUp() override {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }

  void start(std::size_t more_endpoints = 0) {
    const auto file = place.path() / "ambbpf.toml";
    std::ofstream settings(file);
    settings << fmt::format(
        "admin = \"{}\"\nadmin_listen = \"{}\"\nthreads = 1\n[service.web]\nlisten = \"{}\"\n"
        "endpoints = [\"{}\"]\n",
        (place.path() / "admin.sock").string(), to_string(admin), to_string(front),
        backend.address());
    if (more_endpoints > 0)
      settings << fmt::format("[service.many]\nlisten = \"{}\"\nendpoints = [",
                              to_string(free_address()));
    for (std::size_t i = 0; i < more_endpoints; ++i)
      settings << fmt::format("\"127.1.{}.{}:1\",", i / 250, i % 250 + 1);
    if (more_endpoints > 0) settings << "]\n";
    settings.close();
    program.emplace(std::vector<std::string>{"run", "--config", file.string()});
    ASSERT_TRUE(program->says("metrics on ")) << program->err();
    EXPECT_TRUE(is_scraped());
    before = held_by(program->pid());
    questions.emplace(front);
  }

  bool is_scraped() const {
    const auto answer = call("GET", "http://" + to_string(admin) + "/metrics");
    return answer.status == 200 && answer.body.find("ambbpf_build_info{") != std::string::npos;
  }
  // How it answers, and whether it then ends the connection.
  std::string answer_to(const std::string& request) const {
    Peer client = Peer::connect_to(admin);
    client.send(request);
    return client.read_until_end().bytes;
  }
  std::string answer_to_get(const std::string& target, const std::string& method = "GET") const {
    return answer_to(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }

  void expect_bounded(std::size_t most_more_kib = 32 * 1024) {
    constexpr std::size_t kOfQuestions = 8;
    const auto now = held_by(program->pid());
    EXPECT_LE(now.descriptors, before.descriptors + kMostHeld + kOfQuestions);
    if (kOwnAllocator) return;
    EXPECT_LE(now.resident_kib, before.resident_kib + most_more_kib);
  }
  void expect_all_is_well() {
    EXPECT_TRUE(eventually([&] { return is_scraped(); }));
    questions->end();
    EXPECT_TRUE(program->running());
    EXPECT_EQ(run({"status", "--admin", (place.path() / "admin.sock").string()}).code, 0);
    EXPECT_THAT(program->err(), Not(HasSubstr("error")));
  }

  TemporaryDirectory place;
  EchoServer backend;
  tcp::endpoint front = free_address();
  tcp::endpoint admin = free_address();
  std::optional<Program> program;
  Held before;
  std::optional<Questions> questions;
};

TEST_F(ProgramHostileClients, OfTenThousandConnectionsASmallNumberIsHeldAndWhoAsksIsAnswered) {
  start();
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto crowd = std::min<std::size_t>(10'000, limit.rlim_cur - 500);
  std::vector<Peer> clients;
  std::size_t scrapes = 0;
  for (std::size_t i = 0; i < crowd; ++i) {
    clients.push_back(Peer::connect_to(admin));
    clients.back().send("GET /metrics HTTP/1.1\r\nHost: loc");
    if (i % 500 != 499) continue;
    EXPECT_TRUE(eventually([&] { return is_scraped(); }));
    ++scrapes;
    expect_bounded();
  }
  EXPECT_GE(scrapes, crowd / 500);
  // The first ones have been given up, and told so. The last one may still ask.
  EXPECT_THAT(clients.front().read_until_end().bytes,
              AnyOf("", StartsWith("HTTP/1.1 503 Service Unavailable\r\n")));
  Peer last = Peer::connect_to(admin);
  last.send(kScrape.substr(0, 20));
  last.send(kScrape.substr(20));
  EXPECT_THAT(last.read_until_end().bytes, StartsWith("HTTP/1.1 200 "));
  expect_all_is_well();
  expect_bounded();
}

TEST_F(ProgramHostileClients, WhoSendsAByteAtATimeIsEndedAtTheDeadline) {
  start();
  std::vector<Peer> slow;
  for (std::size_t i = 0; i < kAnswered; ++i) {
    slow.push_back(Peer::connect_to(admin));
    slow.back().send("GET /metrics HTTP/1.1\r\nX: ");
  }
  std::size_t ended = 0;
  const auto drip = [&] {
    std::this_thread::sleep_for(20ms);
    ended = 0;
    for (auto& client : slow)
      if (::send(client.socket(), "x", 1, MSG_NOSIGNAL) < 0) ++ended;
    return ended == slow.size();
  };
  EXPECT_TRUE(is_scraped()) << "while all that may wait do";
  EXPECT_TRUE(eventually(drip)) << ended;
  expect_bounded();
  expect_all_is_well();
}

TEST_F(ProgramHostileClients, NoBodyIsWaitedForAndNoHeadIsReadForever) {
  start();
  const auto gigabyte = [](const std::string& method) {
    return method + " /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n";
  };
  const std::string much(kMiB, 'x');
  // A body that never comes, one that never ends, one in chunks, and a head without an end.
  EXPECT_THAT(answer_to(gigabyte("GET")), StartsWith("HTTP/1.1 "));
  EXPECT_THAT(answer_to(gigabyte("POST")), StartsWith("HTTP/1.1 4"));
  EXPECT_THAT(
      answer_to("POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                "5\r\nhello\r\n"),
      StartsWith("HTTP/1.1 405 "));
  for (const auto& begun :
       {gigabyte("GET"), gigabyte("POST"), std::string("GET /metrics HTTP/1.1\r\nX: "),
        std::string("GET /"), std::string()}) {
    Peer client = Peer::connect_to(admin);
    client.send(begun);
    EXPECT_TRUE(client.send_until_broken(much)) << begun;
    expect_bounded();
  }
  expect_all_is_well();
}

TEST_F(ProgramHostileClients, OfManyRequestsInOneTheFirstIsAnswered) {
  start();
  std::string all;
  for (int i = 0; i < 1000; ++i) all += kScrape;
  Peer client = Peer::connect_to(admin);
  client.send(all);
  const auto answers = client.read_until_end().bytes;
  EXPECT_THAT(answers, StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(answers.find("HTTP/1.1 ", 1), answers.npos);
  expect_all_is_well();
}

TEST_F(ProgramHostileClients, NoWayOfWritingAPathOrAMethodFindsMore) {
  start();
  using namespace std::string_literals;
  for (const auto& target : {"//metrics"s,
                             "/../metrics"s,
                             "/metrics/.."s,
                             "/metrics/../reload"s,
                             "/%2e%2e/metrics"s,
                             "/%2e/reload"s,
                             "/metrics%00"s,
                             "/%6detrics"s,
                             "/\\metrics"s,
                             "/metrics;x"s,
                             "/metrics/"s,
                             "/METRICS"s,
                             "/etc/passwd"s,
                             "/../../../../etc/passwd"s,
                             "/healthz"s,
                             "/readyz"s,
                             "*"s,
                             "http://localhost/metrics"s,
                             "http://rebound.example/metrics"s,
                             "file:///etc/passwd"s,
                             "localhost:80"s})
    EXPECT_THAT(answer_to_get(target), StartsWith("HTTP/1.1 404 ")) << target;
  for (const auto& target : {"/metrics\0"s, "/met\0rics"s, "/metrics\t"s, "/metrics\x7f"s, ""s})
    EXPECT_THAT(answer_to_get(target), StartsWith("HTTP/1.1 400 ")) << target;
  for (const auto* method :
       {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get"})
    EXPECT_THAT(answer_to_get("/metrics", method), StartsWith("HTTP/1.1 405 ")) << method;
  for (const auto* method : {"POST", "GET", "HEAD", "PUT"})
    EXPECT_THAT(answer_to_get("/reload", method), StartsWith("HTTP/1.1 404 ")) << method;
  EXPECT_THAT(call("GET", "http://" + to_string(admin) + "/metrics").body,
              HasSubstr("\nambbpf_config_generation 1\n"));
  expect_all_is_well();
}

TEST_F(ProgramHostileClients, APageOfAnotherSiteReadsNothing) {
  start();
  const auto port = std::to_string(admin.port());
  const auto to_host = [&](const std::string& fields) {
    return answer_to("GET /metrics HTTP/1.1\r\n" + fields + "\r\n");
  };
  for (const auto& host : std::vector<std::string>{
           "rebound.example", "rebound.example:" + port, "localhost.rebound.example",
           "127.0.0.1.rebound.example", "127.0.0.1@rebound.example", "rebound.example#127.0.0.1",
           "localhost:80:80", "[rebound.example]", "2130706433", "127.1", "0x7f.1", "localhost.",
           ""})
    EXPECT_THAT(to_host("Host: " + host + "\r\n"), StartsWith("HTTP/1.1 421 ")) << host;
  EXPECT_THAT(to_host(""), StartsWith("HTTP/1.1 421 "));
  EXPECT_THAT(to_host("Host: localhost\r\nHost: rebound.example\r\n"), StartsWith("HTTP/1.1 421 "));
  EXPECT_THAT(to_host("X-Forwarded-Host: localhost\r\nHost: rebound.example\r\n"),
              StartsWith("HTTP/1.1 421 "));
  const auto cross = to_host("Host: localhost\r\nOrigin: http://rebound.example\r\n");
  EXPECT_THAT(cross, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(cross, Not(HasSubstr("Access-Control-Allow"))) << "the browser keeps it to itself";
  expect_all_is_well();
}

TEST_F(ProgramHostileClients, WhoDoesNotReadItsAnswerGivesWayAfterASecond) {
  constexpr std::size_t kEndpoints = 10'000;  // for an answer that the kernel does not take at once
  start(kEndpoints);
  std::vector<Peer> greedy;
  for (std::size_t i = 0; i < kAnswered; ++i) {
    greedy.push_back(Peer::connect_to(admin, {.receive = 4096}));
    greedy.back().send(kScrape);
  }
  const auto are_answered = [&] {
    return std::ranges::all_of(greedy, [](const Peer& client) {
      pollfd readable{.fd = client.socket(), .events = POLLIN, .revents = 0};
      return ::poll(&readable, 1, 0) > 0;
    });
  };
  ASSERT_TRUE(eventually(are_answered));
  EXPECT_TRUE(eventually([&] { return is_scraped(); }));
  const auto is_cut_off = [](Peer& client) {
    return client.read_until_end().error == std::errc::connection_reset;
  };
  // One whose answer is not read until its deadline is over is closed, not reset.
  EXPECT_TRUE(std::ranges::any_of(greedy, is_cut_off));
  // As many answers as are given at once, in full.
  expect_bounded(kAnswered * 16 * 1024 + 32 * 1024);
  expect_all_is_well();
}

}  // namespace
}  // namespace ambbpf::test
