// SPDX-License-Identifier: Apache-2.0
// What `ambbpf status --watch` shows in terminals of several sizes.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "userspace/cli/watch_text.h"

namespace ambbpf {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::uint64_t kKiB = 1024;

StatusReport::Service service_of(std::string name, std::uint64_t total) {
  StatusReport::Service service;
  service.name = std::move(name);
  service.connections_now = 12;
  service.connections_total = total;
  service.endpoints.resize(3);
  service.endpoints[2].ejected_ms = 500;
  return service;
}

ConnectionReport::Service sums_of(std::string name, std::uint64_t open, std::uint64_t ended) {
  return {.name = std::move(name),
          .open = 10,
          .bytes_to_backend = open,
          .bytes_to_client = 2 * open,
          .ended_bytes_to_backend = ended,
          .ended_bytes_to_client = 0,
          .directions_in_kernel = 15,
          .direct_now = 0};
}

Sight sight_at(std::uint64_t uptime_ms, std::uint64_t figure, const std::string& name = "web") {
  Sight sight;
  sight.report.pid = 4711;
  sight.report.verb = "run";
  sight.report.threads = 2;
  sight.report.engine = "sockmap";
  sight.report.uptime_ms = uptime_ms;
  sight.report.services = {service_of(name, figure)};
  sight.report.connections.now = 12;
  sight.report.connections.total = figure;
  sight.report.connections.to_backend = {3 * kKiB * figure, 1 * kKiB * figure};
  sight.sums.emplace().services = {sums_of(name, kKiB * figure, kKiB * figure)};
  return sight;
}

// Two looks, two seconds apart.
WatchedProcess watched(const std::string& name = "web") {
  return {"/run/ambbpf/run-4711.sock", sight_at(12'000, 120, name), sight_at(10'000, 100, name),
          ""};
}

std::string text_of(const std::vector<WatchLine>& lines) {
  std::string text;
  for (const auto& line : lines) text += line.text + '\n';
  return text;
}

std::size_t columns_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void expect_fit(const std::vector<WatchLine>& lines, std::size_t columns) {
  for (const auto& line : lines) {
    EXPECT_LE(columns_of(line.text), columns) << line.text;
    for (const char c : line.text) EXPECT_FALSE(static_cast<unsigned char>(c) < ' ') << line.text;
  }
}

TEST(WatchText, ShowsRatesInAUsualTerminal) {
  const auto lines = watch_lines(watched(), 79);
  expect_fit(lines, 79);
  EXPECT_EQ(text_of(lines),
            "ambbpf run, pid 4711, up 12s, 2 threads, sockmap\n"
            "12 connections now, 10.0 new a second\n"
            "kernel 30.0 KiB/s (75%), user space 10.0 KiB/s (25%)\n"
            "service      now    new/s   there/s    back/s  kernel       up  failed/s\n"
            "web           12     10.0  20.0 KiB  20.0 KiB     75%      2/3       0.0\n");
}

TEST(WatchText, ShowsMoreInAWideOneAndTheMostImportantInANarrowOne) {
  const auto wide = watch_lines(watched(), 199);
  expect_fit(wide, 199);
  EXPECT_THAT(text_of(wide), HasSubstr("failed/s  direct/s\n"));
  const auto narrow = watch_lines(watched(), 39);
  expect_fit(narrow, 39);
  EXPECT_THAT(text_of(narrow), HasSubstr("service      now   there/s    back/s\n"
                                         "web           12  20.0 KiB  20.0 KiB\n"));
}

TEST(WatchText, FitsAnyWidth) {
  auto process = watched(std::string(300, 'x') + "\x1b[2J\xc3\xa4");
  process.now->report.configuration.last_error = std::string(300, 'y');
  for (std::size_t columns = 1; columns < 250; ++columns)
    expect_fit(fitted(watch_lines(process, columns), 3, columns), columns);
}

TEST(WatchText, ShortensNamesBeforeFigures) {
  const auto text = text_of(watch_lines(watched(std::string(100, 'n')), 79));
  EXPECT_THAT(text, HasSubstr("n…       12     10.0  20.0 KiB"));
}

TEST(WatchText, KnowsNoRatesAtFirstNorOfAnotherProcess) {
  auto process = watched();
  process.before.reset();
  EXPECT_THAT(
      text_of(watch_lines(process, 79)),
      HasSubstr("web           12        -         -         -     75%      2/3         -"));
  process = watched();
  process.before->report.pid = 1;
  EXPECT_THAT(text_of(watch_lines(process, 79)), HasSubstr("12 connections now, - new"));
  process = watched();
  std::swap(process.now, process.before);  // its clock went back: it is another one
  EXPECT_THAT(text_of(watch_lines(process, 79)), HasSubstr("12 connections now, - new"));
}

TEST(WatchText, OfAnOlderProcessHasNoBytesOfServices) {
  auto process = watched();
  process.now->sums.reset();
  EXPECT_THAT(text_of(watch_lines(process, 79)),
              HasSubstr("web           12     10.0         -         -       -      2/3"));
}

TEST(WatchText, CallsNoRateWhatHasBecomeLess) {
  auto process = watched();
  process.before->sums->services[0].bytes_to_backend = 1 << 30;
  EXPECT_THAT(text_of(watch_lines(process, 79)), HasSubstr("10.0       0 B  20.0 KiB"));
}

TEST(WatchText, ShowsTroublesAndWhoIsMissing) {
  auto process = watched();
  process.now->report.services[0].endpoints.clear();
  process.now->sums->silent_threads = 1;
  process.now->sums->threads = 2;
  const auto lines = watch_lines(process, 79);
  EXPECT_EQ(lines[1].text, "! service web has no endpoint");
  EXPECT_EQ(lines[1].paint, Paint::kTrouble);
  EXPECT_EQ(lines[2].text, "! 1 of 2 threads did not answer in time");
  process.now.reset();
  process.missing = "nobody answers; its process is gone (for 4s)";
  EXPECT_EQ(text_of(watch_lines(process, 79)),
            "/run/ambbpf/run-4711.sock: nobody answers; its process is gone (for 4s)\n");
}

TEST(WatchText, ShowsWhatIsRegistered) {
  WatchedProcess process{.socket = "/s", .now = Sight(), .before = {}, .missing = ""};
  auto& report = process.now->report;
  report.verb = "register";
  auto& registrar = report.registrars.emplace_back();
  registrar.name = "main";
  registrar.registrations.resize(3);
  registrar.registrations[1].state = "registered";
  registrar.docker.state = "following";
  registrar.etcd.state = "keeping";
  EXPECT_EQ(text_of(watch_lines(process, 79)),
            "ambbpf register, pid 0, up 0ms\n"
            "registrar main: 1 of 3 registrations kept; docker following, etcd keeping\n");
}

TEST(WatchText, SaysHowMuchHasNoRoom) {
  std::vector<WatchLine> lines;
  for (int i = 0; i < 30; ++i) lines.push_back({fmt::format("line {}", i)});
  const auto ten = fitted(lines, 10, 39);
  ASSERT_EQ(ten.size(), 10U);
  EXPECT_EQ(ten[8].text, "line 8");
  EXPECT_EQ(ten[9].text, "and 21 lines more");
  EXPECT_EQ(fitted(lines, 30, 39).size(), 30U);
}

TEST(WatchText, IsPaintedInColoursOnlyWhereTheyAreWanted) {
  const std::vector<WatchLine> lines{{"head", Paint::kHead}, {"plain", Paint::kPlain}};
  EXPECT_EQ(painted(lines, true), "\x1b[H\x1b[1mhead\x1b[0m\x1b[K\r\nplain\x1b[K\x1b[J");
  EXPECT_EQ(painted(lines, false), "\x1b[Hhead\x1b[K\r\nplain\x1b[K\x1b[J");
  EXPECT_THAT(painted(watch_lines(watched(), 79), false), Not(HasSubstr("\x1b[33m")));
  EXPECT_THAT(painted(watch_lines(watched(), 79), true), HasSubstr("\x1b[33m"));
}

}  // namespace
}  // namespace ambbpf
