// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>
#include <thread>

#include "userspace/events/event_log.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

std::vector<std::uint64_t> ids(const EventLog::Told& told) {
  std::vector<std::uint64_t> ids;
  for (const auto& event : told.events) ids.push_back(event->id);
  return ids;
}

void record_some(EventLog& log, const std::string& service, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) log.record({.service = service, .kind = "set changed"});
}

TEST(EventLog, TellsThoseAfterTheOneAskedForInTheirOrder) {
  EventLog log;
  EXPECT_EQ(log.after(0).last, 0U);
  log.record({.service = "web", .kind = "set changed", .outcome = "a"});
  log.record({.service = "db", .kind = "set changed", .outcome = "b"});
  log.record({.service = "web", .kind = "set changed", .outcome = "c"},
             {.what = "k", .revision = 7});
  EXPECT_THAT(ids(log.after(0)), ElementsAre(1, 2, 3));
  const auto told = log.after(1);
  EXPECT_THAT(ids(told), ElementsAre(2, 3));
  EXPECT_EQ(told.last, 3U);
  EXPECT_EQ(told.lost, 0U);
  EXPECT_EQ(told.events[1]->cause, "k");
  EXPECT_EQ(told.events[1]->revision, 7U);
  EXPECT_THAT(ids(log.after(3)), ElementsAre());
}

TEST(EventLog, GivesEachItsTimeInUtcWithMicroseconds) {
  EventLog log;
  record_some(log, "web", 2);
  const auto told = log.after(0);
  EXPECT_THAT(told.events[0]->time,
              testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.][0-9]{6}Z"));
  EXPECT_LE(told.events[0]->time, told.events[1]->time);
}

TEST(EventLog, TellsHowManyWereLost) {
  EventLog log;
  record_some(log, "web", EventLog::kMost + 5);
  EXPECT_EQ(log.after(0).lost, 5U);
  EXPECT_EQ(log.after(3).lost, 2U);
  EXPECT_EQ(log.after(5).lost, 0U);
  EXPECT_EQ(log.after(0).events.size(), EventLog::kMost);
}

TEST(EventLog, AfterOneThatThereHasNotBeenIsAllThatThereIs) {
  EventLog log;
  record_some(log, "web", 2);
  EXPECT_THAT(ids(log.after(500)), ElementsAre(1, 2));
}

TEST(EventLog, OneThatFlapsDoesNotPushOutTheOthers) {
  EventLog log;
  log.record({.kind = "started"});
  record_some(log, "db", 3);
  record_some(log, "flapping", 5 * EventLog::kMost);
  std::multiset<std::string> services;
  for (const auto& event : log.after(0).events) services.insert(event->service);
  EXPECT_EQ(services.size(), EventLog::kMost);
  EXPECT_EQ(services.count("db"), 3U);
  EXPECT_EQ(services.count(""), 1U);
}

TEST(EventLog, ThoseThatFlapShareTheRoomAndKeepTheirLast) {
  EventLog log;
  for (std::size_t i = 0; i < 2 * EventLog::kMost; ++i)
    for (const auto* service : {"a", "b", "c", "d"}) record_some(log, service, 1);
  const auto told = log.after(0);
  std::multiset<std::string> services;
  for (const auto& event : told.events) services.insert(event->service);
  for (const auto* service : {"a", "b", "c", "d"}) EXPECT_EQ(services.count(service), 250U);
  EXPECT_EQ(told.events.front()->id, told.last - EventLog::kMost + 1);
  EXPECT_EQ(told.lost, told.last - EventLog::kMost);
}

TEST(EventLog, MoreServicesThanThereIsRoomForKeepTheNewest) {
  EventLog log;
  for (std::size_t i = 0; i < 3 * EventLog::kMost; ++i) record_some(log, fmt::format("{}", i), 1);
  const auto told = log.after(0);
  EXPECT_EQ(told.events.size(), EventLog::kMost);
  EXPECT_EQ(told.events.front()->id, 2 * EventLog::kMost + 1);
}

TEST(EventLog, BoundsTheTextsOfAnEvent) {
  EventLog log;
  const std::string endless(1 << 20, 'x');
  log.record({.service = endless, .kind = "set changed", .cause = endless, .outcome = endless});
  const auto told = log.after(0);
  const auto& event = *told.events[0];
  EXPECT_LE(event.service.size() + event.cause.size() + event.outcome.size(),
            3 * (EventLog::kLongestText + 3));
}

TEST(EventLog, WakesThoseWhoWaitForALaterOne) {
  EventLog log;
  record_some(log, "web", 1);
  asio::io_context io;
  int woken = 0;
  const auto wait = [&](std::uint64_t after, Clock::duration longest) {
    io.restart();  // it may have run out of work
    asio::co_spawn(io, log.wait_for_later(after, Clock::now() + longest),
                   [&woken](const std::exception_ptr&) { ++woken; });
  };
  wait(1, 20s);
  wait(1, 20s);
  io.run_for(20ms);
  EXPECT_EQ(woken, 0) << "there is none yet";
  std::thread elsewhere([&] { record_some(log, "web", 1); });
  while (woken < 2) ASSERT_GT(io.run_one_for(20s), 0U);
  elsewhere.join();
  wait(1, 20s);
  while (woken < 3) ASSERT_GT(io.run_one_for(20s), 0U) << "there is one already";
  wait(2, 10ms);
  while (woken < 4) ASSERT_GT(io.run_one_for(20s), 0U) << "the deadline";
}

TEST(EventLog, MayBeUsedByAnyThread) {
  EventLog log;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&log, i] {
      for (int k = 0; k < 500; ++k) {
        record_some(log, fmt::format("{}", i), 1);
        if (k % 100 == 0) log.after(static_cast<std::uint64_t>(k));
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(log.after(0).last, 2000U);
  EXPECT_EQ(log.after(0).events.size(), EventLog::kMost);
}

}  // namespace
}  // namespace ambbpf
