// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <sstream>

#include "tests/unit/status_sample.h"
#include "userspace/admin/status_fields.h"

namespace ambbpf {
namespace {

using testing::HasSubstr;
using testing::Not;

// Every field of a report at once.
struct FillAll {
  std::string text;
  std::uint64_t number;

  void operator()(const char*, std::string& member) const { member = text; }
  void operator()(const char*, std::uint64_t& member) const { member = number; }
  void operator()(const char*, std::optional<std::uint64_t>& member) const { member = number; }
  void operator()(const char*, bool& member) const { member = number % 2 == 0; }
  void operator()(const char*, std::vector<std::string>& members) const {
    members.assign(11, text);
  }
  void operator()(const char*, std::vector<std::uint64_t>& members) const {
    members.assign(11, number);
  }
  template <class T>
  void operator()(const char*, std::vector<T>& members) const {
    members.resize(11);
    for (auto& member : members) each_field(member, *this);
  }
  template <class T>
  void operator()(const char*, T& member) const {
    each_field(member, *this);
  }
};

StatusReport filled_with(std::string text, std::uint64_t number) {
  StatusReport report;
  const FillAll fill{std::move(text), number};
  each_field(report, fill);
  return report;
}

// All lines of at most 80 columns, of printable ASCII and ….
void expect_fit_for_a_terminal(const std::string& text) {
  ASSERT_TRUE(text.ends_with('\n'));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::size_t columns = 0;
    for (std::string_view rest = line; !rest.empty(); ++columns) {
      const bool ellipsis = rest.starts_with("…");
      ASSERT_TRUE(ellipsis || (rest[0] >= ' ' && rest[0] <= '~')) << line;
      rest.remove_prefix(ellipsis ? std::string_view("…").size() : 1);
    }
    EXPECT_LE(columns, 80u) << line;
    EXPECT_FALSE(line.ends_with(' ')) << line;
  }
}

TEST(StatusText, ReadsLikeThis) {
  EXPECT_EQ(to_text(sample_report()),
            R"(ambbpf 0.1.0 proxy, pid 4711, up 3h12m, 2 threads
  file       /etc/ambbpf/ambbpf.toml
             generation 3, in force for 1m2s
  draining   takes no new connections
  degraded   service web: 1 value of etcd v3 is rejected
             container db-1: label ambbpf.port: 'x' is not a port
  engine     splice (no better one: load stream_relay: Operation not permitted)
  kernel     6.1.0-18-amd64
  self-test  early bytes ok, FIN after data FAILED
             FIN after data: 3 of 100 bytes were missing

service web on [::]:8080, 127.0.0.1:81
  12 connections now (at most 480), 3456 in all; 5 retried, 6 held, 21 queued
  (9 now), 7 failed, 8 refused, 10 timed out
  policy     source
  endpoint      state       now  total  failed  found as
  10.0.0.1:80   up           12   3400       0  /services/web/web-1
  [fd00::1]:80  ejected 3s    0     56       8  /services/web/web-2 (backup)
  source     etcd v3 http://127.0.0.1:2379 /services/web/
             following: 2 endpoints, heard 2s ago
             3 listings, 17 events, 1 failure
             last error 5m2s ago: connect to 127.0.0.1:2379: Connection refused
             note: the server's clock is off
             1 value rejected now, 4 since the start:
             - /services/web/bad: no port in '10.0.0.3'

registrar containers: advertises 10.0.0.9, keys live 5s
  endpoint        state       key
  10.0.0.9:49155  registered  /services/web/web-1
  -               waiting     /services/web/web-2
  /services/web/web-2: it is paused
  container db-1: label ambbpf.port: 'x' is not a port
  docker     unix:///var/run/docker.sock, API 1.41
             following: 5 containers, heard 1s ago
             last error 1m2s ago: GET http://docker/events: Connection reset by
             peer
             21 listings, 22 events, 23 failures
  etcd       v2 http://127.0.0.1:2379
             keeping, heard 700ms ago
             last error 1m1s ago: PUT http://127.0.0.1:2379: Connection refused
             31 writes, 32 keepalives, 34 removals, 33 lost, 35 failures

connections: 12 now, 3456 in all, 9 reset (4 had vanished); 10 in the map now
  moved           in the kernel  in user space
  directions now             19              5
  to backends           1.2 GiB        3.4 MiB
  to clients           12.5 GiB        120 KiB
  100 promoted, 20 demoted, 1 refused by the kernel; 190 directions handed
    over, 11 taken back
  last refusal: update peer_of: Argument list too long
  2 kernel events lost
)");
}

TEST(StatusText, OfAnEmptyReportIsShortAndWhole) {
  const auto text = to_text(StatusReport());
  expect_fit_for_a_terminal(text);
  EXPECT_THAT(text, testing::StartsWith("ambbpf, pid 0, up 0ms, 0 threads\n"));
  EXPECT_THAT(text, Not(HasSubstr("service")));
  EXPECT_THAT(text, Not(HasSubstr("LOST")));
}

TEST(StatusText, OfAServiceWithNothingInIt) {
  StatusReport report;
  report.services.resize(1);
  report.services[0].sources.resize(1);
  expect_fit_for_a_terminal(to_text(report));
  EXPECT_THAT(to_text(report), HasSubstr("  no endpoint\n"));
  EXPECT_THAT(to_text(report), HasSubstr("nothing heard yet"));
}

TEST(StatusText, KeepsTo80ColumnsWhateverComes) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  for (const std::size_t length : {1u, 21u, 22u, 66u, 67u, 68u, 78u, 81u, 600u})
    for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{9'999'999}, kMost}) {
      expect_fit_for_a_terminal(to_text(filled_with(std::string(length, 'x'), number)));
      std::string words;
      while (words.size() < length) words += "word ";
      expect_fit_for_a_terminal(to_text(filled_with(words, number)));
    }
}

TEST(StatusText, LetsNoTextSteerTheTerminal) {
  std::string all_bytes;
  for (int byte = 0; byte < 256; ++byte) all_bytes += static_cast<char>(byte);
  expect_fit_for_a_terminal(to_text(filled_with(all_bytes, 1)));
  expect_fit_for_a_terminal(to_text(filled_with("\x1b[2J\u202e\r\n", 0)));
}

TEST(StatusText, LosesNothingOfALongError) {
  auto report = sample_report();
  std::string error;
  for (int i = 0; i < 70; ++i) error += fmt::format("{:02} ", i);
  report.services[0].sources[0].last_error = error;
  const auto text = to_text(report);
  for (int i = 0; i < 70; ++i) EXPECT_THAT(text, HasSubstr(fmt::format("{:02}", i)));
}

TEST(StatusText, KeepsTheEndOfALongKeyAndAllOfALongAddress) {
  auto report = sample_report();
  auto& endpoint = report.services[0].endpoints[0];
  endpoint.address = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535";
  endpoint.found_as = "/a/very/long/" + std::string(100, 'x') + "/web-17";
  const auto text = to_text(report);
  EXPECT_THAT(text, HasSubstr("\n  [2001:db8:1111:2222:3333:4444:5555:6666]:65535\n"));
  EXPECT_THAT(text, HasSubstr("xxx/web-17\n"));
  EXPECT_THAT(text, HasSubstr(" …xxx"));
}

TEST(StatusText, ShowsTheLongestStateOfAnEndpointWhole) {
  auto report = sample_report();
  report.services[0].endpoints[1].ejected_ms = 999;
  EXPECT_THAT(to_text(report), HasSubstr("\n  [fd00::1]:80  ejected 999ms    0     56 "));
}

TEST(StatusText, ShowsWhatAnEndpointSaysOfItselfWhereThatIsUnusual) {
  auto report = sample_report();
  auto& endpoint = report.services[0].endpoints[0];
  endpoint.found_as = "web-1";
  EXPECT_THAT(to_text(report), HasSubstr("  web-1\n"));
  endpoint.weight = 0;
  endpoint.zone = "nyc";
  EXPECT_THAT(to_text(report), HasSubstr("  web-1 (weight 0, zone nyc)\n"));
  endpoint.weight = 1;
  endpoint.priority = 2;
  EXPECT_THAT(to_text(report), HasSubstr("  web-1 (priority 2, zone nyc)\n"));
}

TEST(StatusText, ShowsWhoIsInASlowStart) {
  auto report = sample_report();
  report.services[0].endpoints[0].slow_start = 40;
  EXPECT_THAT(to_text(report), HasSubstr("\n  10.0.0.1:80   slow start 40 %"));
  report.services[0].endpoints[0].drained = true;
  EXPECT_THAT(to_text(report), Not(HasSubstr("slow start")));
}

TEST(StatusText, ShowsWhoIsDownByItsChecksAndWhy) {
  auto report = sample_report();
  report.services[0].endpoints[0].check = "down";
  EXPECT_THAT(to_text(report), HasSubstr("\n  10.0.0.1:80   down "));
  EXPECT_THAT(to_text(report), HasSubstr("\n  down       10.0.0.1:80, checked 1s ago: HTTP 503\n"));
}

TEST(StatusText, ShowsTenRejectedValuesAndCountsTheRest) {
  auto report = sample_report();
  auto& rejected = report.services[0].sources[0].rejected;
  for (int i = 1; i < 13; ++i) rejected.push_back({fmt::format("/key{}", i), "bad"});
  const auto text = to_text(report);
  EXPECT_THAT(text, HasSubstr("- /key9: bad"));
  EXPECT_THAT(text, Not(HasSubstr("- /key10: bad")));
  EXPECT_THAT(text, HasSubstr("- and 3 more"));
}

TEST(StatusText, ShowsWhatAServiceRejectsFromWhateverSource) {
  auto report = healthy_report();
  report.services[0].rejected = {
      {"/services/web/self", "[::1]:8080 is where this process listens"}};
  EXPECT_THAT(
      to_text(report),
      HasSubstr("\n  rejected   1 value:\n"
                "             - /services/web/self: [::1]:8080 is where this process listens\n"));
  EXPECT_THAT(troubles(report), testing::ElementsAre("service web: a value is rejected"));
}

TEST(StatusText, NamesWhatIsWrongFirst) {
  auto report = sample_report();
  report.services[0].endpoints.clear();
  report.services[0].sources[0].state = "failing";
  report.connections.mismatches = 3;
  const auto text = to_text(report);
  EXPECT_THAT(text, HasSubstr("\n  degraded   service web has no endpoint\n"
                              "             service web: etcd v3 "));
  EXPECT_THAT(text, HasSubstr("BYTES LOST OR DOUBLED: 3 times"));
}

TEST(StatusText, SaysNothingOfReasonsThatThereAreNot) {
  auto report = sample_report();
  report.engine = "sockmap";
  report.engine_reason.clear();
  report.draining = false;
  report.findings = {{"early bytes", true, ""}};
  const auto text = to_text(report);
  EXPECT_THAT(text, HasSubstr("  engine     sockmap\n"));
  EXPECT_THAT(text, Not(HasSubstr("draining")));
  EXPECT_THAT(text, HasSubstr("  self-test  early bytes ok\n"));
}

}  // namespace
}  // namespace ambbpf
