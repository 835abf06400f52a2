// SPDX-License-Identifier: Apache-2.0
// Active health checks of the built program, against servers that fail in their ways.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "tests/integration/program_reload.h"
#include "tests/support/authority.h"
#include "tests/support/fake_http.h"
#include "tests/support/must.h"
#include "tests/support/other_network.h"
#include "tests/support/start_server.h"

namespace ambbpf::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ProgramChecks : public RunByFile {
 protected:
  std::string web(const std::vector<std::string>& endpoints, const std::string& check,
                  const std::string& more = "") const {
    return fmt::format(
        "[service.web]\nlisten = \"{}\"\nendpoints = [\"{}\"]\ncheck = \"{}\"\n"
        "check_interval = \"100ms\"\ncheck_rise = 2\ncheck_fall = 2\n{}\n",
        to_string(front), fmt::join(endpoints, "\", \""), check, more);
  }
  void start(const std::string& text) {
    write(text);
    program.reset();  // it had the same admin socket
    program = std::make_unique<Program>(by_file());
    ASSERT_TRUE(program->says("admin socket")) << program->err();
  }
  StatusReport::Endpoint endpoint(std::size_t index = 0) const {
    return status_of("web").endpoints.at(index);
  }
  bool until(const std::string& state, std::size_t index = 0) const {
    return eventually([&] { return endpoint(index).check == state; });
  }
  std::string told_by(const std::string& verb) const {
    std::vector<std::string> words{verb, "--admin", admin().string()};
    if (verb == "why") words.insert(words.begin() + 1, "web");
    return run(words).out;
  }

  const tcp::endpoint front = free_address();
  std::unique_ptr<Program> program;
};

std::string address_of(const FakeHttp& server) { return server.url().substr(7); }  // "http://"
std::string address_of(const NamedBackend& server) {
  return to_string(server.listener().address());
}

TEST_F(ProgramChecks, OneThatRefusesIsTakenOutAndBroughtBackWithoutAnyClient) {
  const auto dead = free_address();
  NamedBackend stays("stays");
  start(web({to_string(dead), address_of(stays)}, "tcp"));
  ASSERT_TRUE(until("down")) << program->err();
  EXPECT_THAT(endpoint().check_error, HasSubstr("Connection refused"));
  EXPECT_EQ(endpoint().failed_connects, 0U) << "no client has met it";
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ask(front), "stays");
  EXPECT_THAT(told_by("why"), HasSubstr("down, its checks fail, the last: "));
  EXPECT_THAT(told_by("events"), HasSubstr("down: " + to_string(dead)));
  NamedBackend back("back", dead);
  ASSERT_TRUE(until("up"));
  EXPECT_TRUE(eventually([&] { return ask(front) == "back"; }));
  EXPECT_THAT(told_by("events"), HasSubstr("up: " + to_string(dead)));
  EXPECT_THAT(program->err(), HasSubstr("is up again"));
}

// What a client of `front` gets.
std::string get(const tcp::endpoint& front) {
  Peer client = Peer::connect_to(front);
  client.send("GET /client HTTP/1.1\r\nHost: a\r\n\r\n");
  auto answer = client.read_all();
  client.finish();
  return answer;
}

// Its answers to checks and to clients, which ask for /client.
class HttpServer {
 public:
  explicit HttpServer(std::string name) : name_(std::move(name)) {}

  std::atomic<int> status = 200;
  std::atomic<bool> asked_otherwise = false;
  std::string url() const { return server_.url(); }
  std::string address() const { return address_of(server_); }

 private:
  FakeAnswer answer(const std::string& head) {
    if (head.starts_with("GET /client ")) return {fake_answer("200 OK", "", name_)};
    if (!head.starts_with("GET /health?a=1 HTTP/1.1\r\n") ||
        head.find("\r\nHost: web.example\r\n") == std::string::npos)
      asked_otherwise = true;
    return {fake_answer(std::to_string(status) + " Any", "", "all is fine here")};
  }

  const std::string name_;
  FakeHttp server_{[this](const std::string& head) { return answer(head); }};
};

const std::string by_get = "check_path = \"/health?a=1\"\ncheck_host = \"web.example\"\n";

TEST_F(ProgramChecks, OneThatAnswers500IsTakenOutUntilItAnswers200) {
  HttpServer sick("sick");
  HttpServer well("well");
  start(web({sick.address(), well.address()}, "http", by_get + "check_body = \"is fine\"\n"));
  ASSERT_TRUE(until("up") && until("up", 1)) << endpoint().check_error;
  sick.status = 500;
  ASSERT_TRUE(until("down"));
  EXPECT_EQ(endpoint().check_error, "HTTP 500");
  for (int i = 0; i < 4; ++i) EXPECT_THAT(get(front), HasSubstr("well"));
  EXPECT_FALSE(is_degraded(status()));
  sick.status = 302;  // is not followed, and good
  ASSERT_TRUE(until("up"));
  EXPECT_TRUE(eventually([&] { return get(front).ends_with("sick"); }));
  EXPECT_FALSE(sick.asked_otherwise);
  EXPECT_EQ(endpoint(1).check, "up");
  const auto service = status_of("web");
  EXPECT_GT(service.checks_passed, 2U);
  EXPECT_GE(service.checks_failed, 2U);
}

TEST_F(ProgramChecks, ABodyWithoutTheTextIsNoGoodAnswerAndWhereAllAreDownAllAreTried) {
  HttpServer server("sick");
  start(web({server.address()}, "http", by_get + "check_body = \"is ready\"\n"));
  ASSERT_TRUE(until("down"));
  EXPECT_EQ(endpoint().check_error, "the body is without 'is ready'");
  EXPECT_THAT(get(front), HasSubstr("sick"));
  EXPECT_THAT(troubles(status()), Contains("service web: no endpoint passes its checks"));
  EXPECT_THAT(told_by("status"), HasSubstr("the body is without 'is ready'"));
  EXPECT_THAT(told_by("why"), HasSubstr("down by its checks, and there is no better one"));
}

TEST_F(ProgramChecks, ATextIsSentAndAnotherExpected) {
  std::atomic<bool> good = true;
  std::atomic<bool> asked_otherwise = false;
  FakeHttp server([&](const std::string& head) {
    if (head != "PING\r\n\r\n") asked_otherwise = true;
    return FakeAnswer{good ? "+PONG\r\n" : "-LOADING\r\n"};
  });
  start(web({address_of(server)}, "expect",
            "check_send = 'PING\\r\\n\\r\\n'\ncheck_expect = \"PONG\"\n"));
  ASSERT_TRUE(until("up")) << endpoint().check_error;
  good = false;
  ASSERT_TRUE(until("down"));
  EXPECT_EQ(endpoint().check_error, "the answer ended without 'PONG'");
  EXPECT_FALSE(asked_otherwise);
}

TEST_F(ProgramChecks, OneThatAcceptsAndIsSilentTimesOut) {
  FakeHttp server([](const std::string&) { return FakeAnswer{"", true}; });
  const std::string soon = "check_timeout = \"200ms\"\n";
  start(web({address_of(server)}, "http", soon));
  ASSERT_TRUE(until("down"));
  EXPECT_EQ(endpoint().check_error, "timed out after 200 ms");
  ASSERT_EQ(reload(web({address_of(server)}, "expect",
                       soon + "check_send = 'a\\r\\n\\r\\n'\ncheck_expect = \"b\"\n"))
                .code,
            0);
  const auto before = status_of("web").checks_failed;
  ASSERT_TRUE(eventually([&] { return status_of("web").checks_failed > before + 1; }));
  EXPECT_EQ(endpoint().check_error, "timed out after 200 ms");
}

TEST_F(ProgramChecks, OneThatPacketsDoNotReachTimesOut) {
  const OtherNetwork other("10.213.7.1", "10.213.7.2");
  // Frames for a card that is none: as to a machine that has vanished.
  must(std::system("ip neigh add 10.213.7.3 lladdr 02:00:00:00:00:01 dev here0") == 0, "ip neigh");
  for (const std::string kind : {"tcp", "http"}) {
    start(web({"10.213.7.3:80"}, kind, "check_timeout = \"200ms\"\n"));
    ASSERT_TRUE(until("down")) << program->err();
    EXPECT_EQ(endpoint().check_error, "timed out after 200 ms") << kind;
  }
}

TEST_F(ProgramChecks, CertificatesAreVerifiedUnlessToldOtherwise) {
  Authority authority;
  const auto shown = authority.issue();
  const auto address = free_address();
  const auto server =
      start_server({"/usr/bin/openssl", "s_server", "-accept", to_string(address), "-cert",
                    shown.certificate, "-key", shown.key, "-www", "-quiet"},
                   place.path() / "server.log");
  // It serves one after the other, and no test of time is meant.
  const std::string patient = "check_timeout = \"10s\"\n";
  const auto trusted = "check_ca = \"" + authority.certificate() + "\"\n";
  for (const std::string kind : {"https", "tls"}) {
    const auto with = [&](const std::string& more) {
      return web({to_string(address)}, kind, patient + more);
    };
    start(with(""));
    EXPECT_TRUE(until("down")) << kind;
    EXPECT_THAT(endpoint().check_error, HasSubstr("certificate")) << kind;
    for (const auto& good : std::vector<std::string>{"check_verify = false\n", trusted,
                                                     trusted + "check_host = \"localhost\"\n"}) {
      EXPECT_EQ(reload(with(good)).code, 0);
      EXPECT_TRUE(until("up")) << kind << ' ' << good << endpoint().check_error;
      EXPECT_EQ(reload(with(trusted + "check_host = \"other.example\"\n")).code, 0);
      EXPECT_TRUE(until("down")) << kind << ": the certificate is another's";
    }
  }
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
}

// Of version 2: the signature, then LOCAL, as a proxy says for itself.
TEST_F(ProgramChecks, BeginWithAProxyHeaderWhereConnectionsDo) {
  std::mutex mutex;
  std::string last;
  FakeHttp server([&](const std::string& head) {
    const std::scoped_lock lock(mutex);
    last = head;
    return FakeAnswer{fake_answer("200 OK", "", "PONG")};
  });
  const auto first_bytes = [&] {
    const std::scoped_lock lock(mutex);
    return last;
  };
  const auto with = [&](const std::string& version, const std::string& kind) {
    return web({address_of(server)}, kind,
               "send_proxy = \"" + version +
                   "\"\ncheck_send = 'A\\r\\n\\r\\n'\ncheck_expect = \"PONG\"\n");
  };
  start(with("v2", "expect"));
  ASSERT_TRUE(until("up")) << endpoint().check_error;
  EXPECT_THAT(first_bytes(), StartsWith(std::string("\r\n\r\n\0\r\nQUIT\n\x20", 13)));
  ASSERT_EQ(reload(with("v1", "expect")).code, 0);
  EXPECT_TRUE(eventually([&] { return first_bytes().starts_with("PROXY UNKNOWN\r\nA\r\n"); }));
  ASSERT_EQ(reload(with("v1", "http")).code, 0);
  EXPECT_TRUE(eventually([&] {
    return first_bytes().starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 ") &&
           first_bytes().find("\r\nGET / HTTP/1.1\r\n") != std::string::npos;
  }));
  EXPECT_EQ(endpoint().check, "up");
}

TEST_F(ProgramChecks, AReloadKeepsWhoIsDownAndWithoutChecksNobodyIs) {
  const auto dead = to_string(free_address());
  NamedBackend stays("stays");
  start(web({dead, address_of(stays)}, "tcp"));
  ASSERT_TRUE(until("down"));
  ASSERT_EQ(reload(web({dead, address_of(stays)}, "tcp", "check_timeout = \"5s\"\n")).code, 0);
  EXPECT_EQ(endpoint().check, "down");
  ASSERT_EQ(reload(web({dead, address_of(stays)}, "off")).code, 0);
  EXPECT_EQ(endpoint().check, "");
  EXPECT_THAT(told_by("why"), Not(HasSubstr("down, its checks fail")));
}

TEST_F(ProgramChecks, ACheckUnderWayEndsWithItsServiceOrItsEndpoint) {
  FakeHttp silent([](const std::string&) { return FakeAnswer{"", true}; });
  const std::string late = "check_timeout = \"1m\"\n";
  const auto other = free_address();
  NamedBackend stays("stays");
  const auto another = service("other", other, stays);
  const auto text = web({address_of(silent), address_of(stays)}, "http", late);
  start(text + another);
  ASSERT_TRUE(eventually([&] { return silent.requests() > 0; }));
  ASSERT_EQ(reload(web({address_of(stays)}, "http", late) + another).code, 0);
  EXPECT_EQ(status_of("web").endpoints.size(), 1U);
  const auto before = silent.requests();
  ASSERT_EQ(reload(text + another).code, 0);
  ASSERT_TRUE(eventually([&] { return silent.requests() > before; }));
  ASSERT_EQ(reload(another).code, 0);
  EXPECT_EQ(ask(other), "stays");
  program->signal(SIGTERM);
  EXPECT_EQ(program->wait(), 0);
}

}  // namespace
}  // namespace ambbpf::test
