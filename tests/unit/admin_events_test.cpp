// SPDX-License-Identifier: Apache-2.0
// GET /events and GET /why, and what is made of their answers.
#include <gmock/gmock.h>

#include <atomic>

#include "tests/unit/admin_fixture.h"
#include "userspace/admin/events_answer.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class AdminEvents : public testing::Test {
 protected:
  std::string ask(const std::string& target) const { return get(directory_ / "a.sock", target); }

  TemporaryDirectory directory_;
};

TEST_F(AdminEvents, AreThoseAfterTheOneAskedFor) {
  ServingProcess process(directory_ / "a.sock", answers("{}"));
  EXPECT_THAT(ask("/events"), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("{\"after\":0}")));
  EXPECT_THAT(ask("/events?after=17"), EndsWith("{\"after\":17}"));
  EXPECT_THAT(ask("/events?wait=1&after=%31%37"), EndsWith("{\"after\":17}"));
  for (const auto* bad : {"after=x", "after=-1", "after=1.5", "after=", "wait=soon",
                          "after=99999999999999999999", "after=1%00"})
    EXPECT_THAT(ask(std::string("/events?") + bad), StartsWith("HTTP/1.1 400 ")) << bad;
}

TEST_F(AdminEvents, AreWaitedForAsLongAsIsAskedAndNoLongerThanAllowed) {
  auto given = answers("{}");
  std::atomic<std::int64_t> wanted_ms{0};
  given.later_events = [&](std::uint64_t after, Clock::time_point deadline) -> awaitable<void> {
    EXPECT_EQ(after, 4U);
    wanted_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    co_return;
  };
  ServingProcess process(directory_ / "a.sock", given);
  ask("/events?after=4&wait=3");
  EXPECT_GT(wanted_ms, 2'000);
  EXPECT_LE(wanted_ms, 3'000);
  ask("/events?after=4&wait=999999");
  EXPECT_GT(wanted_ms, 20'000);
  EXPECT_LE(wanted_ms, 30'000);
  wanted_ms = -1;
  ask("/events?after=4");
  ask("/status?after=4&wait=3");
  EXPECT_EQ(wanted_ms, -1) << "not asked to wait";
}

TEST_F(AdminEvents, ThoseWhoWaitForThemKeepNobodyOut) {
  auto given = answers("{\"pid\":7}");
  std::atomic<int> waiting{0};
  given.later_events = [&](std::uint64_t, Clock::time_point) -> awaitable<void> {
    ++waiting;
    co_await sleep_for(20s);
  };
  ServingProcess process(directory_ / "a.sock", given, AdminLimits{.connections = 4});
  RawClient one(directory_ / "a.sock"), two(directory_ / "a.sock");
  for (auto* client : {&one, &two}) client->send("GET /events?wait=20 HTTP/1.1\r\nHost: x\r\n\r\n");
  for (int i = 0; waiting < 2 && i < 500; ++i) std::this_thread::sleep_for(10ms);
  ASSERT_EQ(waiting, 2);
  EXPECT_THAT(ask("/events?wait=20"), StartsWith("HTTP/1.1 200 ")) << "at once";
  EXPECT_THAT(ask("/status"), EndsWith("{\"pid\":7}"));
  EXPECT_EQ(waiting, 2);
}

TEST_F(AdminEvents, AServerEndsWhileSomebodyWaits) {
  auto given = answers("{}");
  std::atomic<bool> waits{false};
  given.later_events = [&](std::uint64_t, Clock::time_point) -> awaitable<void> {
    waits = true;
    co_await sleep_for(50ms);
  };
  ServingProcess process(directory_ / "a.sock", given);
  RawClient client(directory_ / "a.sock");
  client.send("GET /events?wait=20 HTTP/1.1\r\nHost: x\r\n\r\n");
  for (int i = 0; !waits && i < 500; ++i) std::this_thread::sleep_for(10ms);
  process.end_server();
  EXPECT_EQ(client.read_all(), "");
}

TEST_F(AdminEvents, WhyIsAnsweredForAServiceThatThereIs) {
  ServingProcess process(directory_ / "a.sock", answers("{}"));
  EXPECT_THAT(ask("/why?service=web"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask("/why?service=team%2Fdb"),
              AllOf(StartsWith("HTTP/1.1 404 "), EndsWith("\r\n\r\nteam/db\n")));
  for (const auto* bad :
       {"/why", "/why?", "/why?service", "/why?service=", "/why?=web", "/why?&&="})
    EXPECT_THAT(ask(bad), StartsWith("HTTP/1.1 400 ")) << bad;
}

TEST(EventsAnswer, IsReadAsItWasWritten) {
  EventLog log;
  log.record({.service = "we\"b",
              .kind = "set changed",
              .outcome = "+10.0.0.1:80",
              .endpoints = 1,
              .version = 4,
              .took_us = 340},
             {.what = "/services/web/a set", .revision = 12});
  log.record({.kind = "started"});
  const auto answer = events_answer(log.after(0), "7-1");
  const auto read = events_answer_from_json(to_json(answer));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(to_json(*read), to_json(answer));
  EXPECT_EQ(read->process, "7-1");
  EXPECT_EQ(read->last, 2U);
  EXPECT_EQ(to_text(read->events[0]),
            read->events[0].time +
                " we\"b: set changed: +10.0.0.1:80; /services/web/a set, revision 12; "
                "choice 4 after 340 us");
  EXPECT_THAT(to_json(read->events[1]), testing::Not(HasSubstr("revision")));
}

TEST(EventsAnswer, AsTextIsOneLineThatCanSteerNoTerminal) {
  const Event event{.time = "t", .service = "a\nb", .kind = "k", .cause = "\x1b[31m"};
  EXPECT_EQ(to_text(event), "t a\\nb: k; \\x1b[31m");
}

}  // namespace
}  // namespace ambbpf
