// SPDX-License-Identifier: Apache-2.0
// What open connections do: asked for over the admin socket, as JSON and as a text.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/unit/admin_fixture.h"
#include "userspace/admin/connection_report.h"

namespace ambbpf {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

ConnectionReport report_of_two() {
  ConnectionReport report;
  report.pid = 4711;
  report.verb = "run";
  report.threads = 2;
  report.sort = "bytes";
  report.window_ms = 1000;
  report.services = {{"web", 3, 100, 200, 10, 20, 4, 0}};
  report.connections = {{"web",
                         192'000,
                         {"127.0.0.1:43820", 25, 0},
                         {"127.0.0.1:8081", 1'234, 2},
                         {1'503'238'553, 12'897'485, "kernel", "for 3m10s"},
                         {3'277, 0, "copy", "large reads"}},
                        {"web",
                         500,
                         {"", 0, 0},
                         {"127.0.0.1:8081", 31, 0},
                         {5, 5, "copy", "young"},
                         {0, 0, "-", "ended"}}};
  return report;
}

TEST(ConnectionText, ShowsWhatEachEndSendsAndWhoPassesItOn) {
  EXPECT_EQ(to_text(report_of_two()),
            "ambbpf run, pid 4711: 3 connections open, the 2 largest\n"
            "\n"
            "                             sent  a second    rtt  resent  by\n"
            "web, 3m12s\n"
            " client  127.0.0.1:43820  1.4 GiB  12.3 MiB   25us       0  kernel, for 3m10s\n"
            " backend 127.0.0.1:8081   3.2 KiB       0 B  1.2ms       2  copy, large reads\n"
            "web, 500ms\n"
            " client  -                    5 B       5 B      -       0  copy, young\n"
            " backend 127.0.0.1:8081       0 B       0 B   31us       0  -, ended\n");
}

TEST(ConnectionText, SaysWhatIsNotInIt) {
  auto report = report_of_two();
  report.connections.clear();
  report.silent_threads = 1;
  report.services[0].direct_now = 7;
  EXPECT_EQ(to_text(report),
            "ambbpf run, pid 4711: 3 connections open\n"
            "7 more without the proxy (zero hop): these are not listed\n"
            "1 of 2 threads did not answer in time: their connections are missing\n");
}

TEST(ConnectionText, SteersNoTerminal) {
  auto report = report_of_two();
  report.connections[0].service = "\x1b[2J";
  report.connections[0].to_client.why = "\r\n";
  EXPECT_THAT(to_text(report), Not(HasSubstr("\x1b")));
  EXPECT_THAT(to_text(report), Not(HasSubstr("\r")));
}

TEST(ConnectionReports, AreReadAsTheyWereWritten) {
  const auto json = to_json(report_of_two());
  const auto read = connection_report_from_json(json);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(to_json(*read), json);
  EXPECT_EQ(read->connections[0].to_backend.bytes, 1'503'238'553U);
  EXPECT_EQ(read->services[0].ended_bytes_to_client, 20U);
}

TEST(ConnectionReports, ThatAreNoneAreRefused) {
  EXPECT_FALSE(connection_report_from_json("hello"));
  EXPECT_EQ(connection_report_from_json(R"({"connections":[{"age_ms":"x"}]})").error().message(),
            "connections: connections[0].age_ms is not a whole number from 0");
}

TEST(ConnectionsQuestions, HaveDefaults) {
  for (const auto* target : {"/connections", "/connections?", "/connections?&&"}) {
    const auto question = query_of(target).and_then(connections_question);
    ASSERT_TRUE(question) << target;
    EXPECT_EQ(question->service, "");
    EXPECT_EQ(question->sort, "bytes");
    EXPECT_EQ(question->limit, 100U);
  }
}

TEST(ConnectionsQuestions, TakeAnyNameOfAService) {
  const auto question =
      query_of("/connections?limit=0&service=a%2Fb%20%26c&sort=age").and_then(connections_question);
  ASSERT_TRUE(question) << question.error().message();
  EXPECT_EQ(question->service, "a/b &c");
  EXPECT_EQ(question->sort, "age");
  EXPECT_EQ(question->limit, 0U);
}

TEST(ConnectionsQuestions, ThatCannotBeAskedAreNamed) {
  for (const auto& [query, named] : {std::pair("sort=name", "'name'"),
                                     {"limit=", "''"},
                                     {"limit=-1", "'-1'"},
                                     {"limit=10001", "'10001'"},
                                     {"limit=99999999999999999999", "limit"},
                                     {"limit=5x", "'5x'"},
                                     {"port=1", "'port'"},
                                     {"limit", "limit"},
                                     {"service=%2", "%2"},
                                     {"service=%", "%"},
                                     {"service=%+1", "%+1"},
                                     {"service=%zz", "%zz"}}) {
    const auto question =
        query_of(fmt::format("/connections?{}", query)).and_then(connections_question);
    ASSERT_FALSE(question) << query;
    EXPECT_THAT(question.error().message(), HasSubstr(named)) << query;
  }
}

class ConnectionsRoute : public testing::Test {
 protected:
  static AdminAnswers answering(Result<std::string> answer) {
    auto made = answers("{}");
    made.connections = [answer = std::move(answer)](const ConnectionsQuestion&) {
      return soon(answer);
    };
    return made;
  }

  TemporaryDirectory directory_;
  const std::filesystem::path socket_ = directory_ / "admin.sock";
};

TEST_F(ConnectionsRoute, GivesWhatTheProcessSays) {
  ServingProcess process(socket_, answering("{\"pid\":1}"));
  EXPECT_THAT(get(socket_, "/connections?sort=age"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Type: application/json\r\n"),
                    EndsWith("\r\n\r\n{\"pid\":1}")));
}

TEST_F(ConnectionsRoute, SaysWhatIsWrongWithAQuestion) {
  ServingProcess process(socket_, answering(tl::unexpected(Error{"there is no service 'x'", {}})));
  EXPECT_THAT(get(socket_, "/connections?sort=x"),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("not 'x'\n")));
  EXPECT_THAT(get(socket_, "/connections?service=x"),
              AllOf(StartsWith("HTTP/1.1 404 "), EndsWith("there is no service 'x'\n")));
  EXPECT_THAT(RawClient(socket_).ask("POST /connections HTTP/1.1\r\n\r\n"),
              StartsWith("HTTP/1.1 405 "));
}

awaitable<Result<std::string>> late(std::chrono::milliseconds pause) {
  co_await sleep_for(pause);
  co_return std::string("{}");
}

TEST_F(ConnectionsRoute, KeepsNobodyWaitingWhoAsksForSomethingElse) {
  auto slow = answers("{}");
  slow.connections = [](const ConnectionsQuestion&) { return late(std::chrono::seconds(2)); };
  ServingProcess process(socket_, std::move(slow));
  RawClient waiting(socket_);
  waiting.send("GET /connections HTTP/1.1\r\n\r\n");
  const auto start = Clock::now();
  EXPECT_THAT(get(socket_, "/status"), StartsWith("HTTP/1.1 200 "));
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(2));
  EXPECT_THAT(waiting.read_all(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ConnectionsRoute, OutlivesAClientThatVanishesAndAServerThatEnds) {
  auto slow = answers("{}");
  slow.connections = [](const ConnectionsQuestion&) { return late(std::chrono::milliseconds(50)); };
  ServingProcess process(socket_, std::move(slow));
  RawClient(socket_).send("GET /connections HTTP/1.1\r\n\r\n");
  RawClient waiting(socket_);
  waiting.send("GET /connections HTTP/1.1\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  process.end_server();
  EXPECT_EQ(waiting.read_all(), "");
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // for the answers to come
}

}  // namespace
}  // namespace ambbpf
