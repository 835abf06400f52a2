// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <set>
#include <thread>

#include "tests/support/captured_log.h"
#include "userspace/endpoints/service.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

Endpoint endpoint(const std::string& address, const std::string& found_as = "key") {
  return {parse_address(address).value(), found_as};
}

std::vector<std::string> in_force(const Service& service) {
  std::vector<std::string> addresses;
  for (const auto& listed : *service.in_force())
    addresses.push_back(to_string(listed.backend->address()));
  return addresses;
}

using Addresses = std::vector<std::string>;

void publish_to(Service& service, std::vector<Endpoint> endpoints) {
  service.publish(service.add_source(), std::move(endpoints));
}

TEST(Service, HasNothingToPickBeforeASourceHasSpoken) {
  Service service("web");
  EXPECT_EQ(service.pick({}), nullptr);
  publish_to(service, {});
  EXPECT_EQ(service.pick({}), nullptr);
}

TEST(Service, TakesASetInPlaceOfTheOneBefore) {
  Service service("web");
  const auto publish = service.way_in(service.add_source());
  publish({endpoint("127.0.0.1:1"), endpoint("127.0.0.1:2")});
  publish({endpoint("127.0.0.1:2"), endpoint("[::1]:3")});
  EXPECT_EQ(in_force(service), (Addresses{"127.0.0.1:2", "[::1]:3"}));
}

TEST(Service, UnitesItsSourcesAndCountsAnAddressOnce) {
  Service service("web");
  const auto v2 = service.way_in(service.add_source());
  const auto v3 = service.way_in(service.add_source());
  v3({endpoint("127.0.0.1:1", "v3"), endpoint("127.0.0.1:2", "v3")});
  v2({endpoint("127.0.0.1:2", "v2"), endpoint("127.0.0.1:2", "v2 again")});
  EXPECT_EQ(in_force(service), (Addresses{"127.0.0.1:2", "127.0.0.1:1"}));
  EXPECT_EQ(service.in_force()->front().found_as, "v2");
  v3({});
  EXPECT_EQ(in_force(service), Addresses{"127.0.0.1:2"});
}

// In linear steps this takes a second, under a sanitizer some ten; to compare each with all others
// takes minutes.
TEST(Service, UnitesHundredsOfThousandsOfEndpoints) {
  constexpr std::size_t kMany = 300'000;
  std::vector<Endpoint> many;
  for (std::uint32_t i = 0; i < kMany; ++i) {
    const asio::ip::address_v4 address(0x0a000000 + i);
    many.push_back({tcp::endpoint(address, 80), "key"});
  }
  Service service("web");
  const auto begin = std::clock();  // CPU time
  publish_to(service, many);
  publish_to(service, many);
  EXPECT_LT((std::clock() - begin) / CLOCKS_PER_SEC, 30);
  EXPECT_EQ(service.in_force()->size(), kMany);
}

TEST(Service, PicksRoundRobin) {
  Service service("web");
  publish_to(service, {endpoint("127.0.0.1:1"), endpoint("127.0.0.1:2"), endpoint("127.0.0.1:3")});
  std::multiset<unsigned short> picked;
  for (int i = 0; i < 30; ++i) picked.insert(service.pick({})->address().port());
  for (const unsigned short port : {1, 2, 3}) EXPECT_EQ(picked.count(port), 10U);
}

TEST(Service, PicksAnEjectedBackendOnlyWhenAllAreEjected) {
  Service service("web");
  publish_to(service, {endpoint("127.0.0.1:1"), endpoint("127.0.0.1:2")});
  const auto first = service.in_force()->at(0).backend;
  const auto second = service.in_force()->at(1).backend;
  EXPECT_TRUE(service.report(*first, BackendOutcome::kConnectFailed));
  EXPECT_FALSE(service.report(*first, BackendOutcome::kConnectFailed)) << "no news";
  for (int i = 0; i < 10; ++i) EXPECT_EQ(service.pick({}), second);
  service.report(*second, BackendOutcome::kConnectFailed);
  EXPECT_NE(service.pick({}), nullptr);
  EXPECT_TRUE(service.report(*second, BackendOutcome::kConnected));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(service.pick({}), second);
}

TEST(Service, LetsOneConnectionTryWhoWasEjectedUntilItIsProven) {
  using State = Health::State;
  Service service("web");
  service.choose_by({.eject_resets = 2});
  publish_to(service, {endpoint("127.0.0.1:1"), endpoint("127.0.0.1:2")});
  const auto resets = service.in_force()->at(0).backend;
  const auto picks = [&] {
    int picked = 0;
    for (int i = 0; i < 20; ++i) picked += service.pick({}) == resets ? 1 : 0;
    return picked;
  };
  service.report(*resets, BackendOutcome::kEarlyReset, "reset");
  EXPECT_EQ(picks(), 10) << "once is no row";
  EXPECT_TRUE(service.report(*resets, BackendOutcome::kEarlyReset, "reset"));
  EXPECT_EQ(picks(), 0);
  std::this_thread::sleep_until(resets->ejected_until());
  // By several threads at once.
  std::atomic<int> tried = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { tried += picks(); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(tried, 1);
  EXPECT_EQ(resets->health(Clock::now()), State::kOnTrial);
  EXPECT_FALSE(service.report(*resets, BackendOutcome::kConnected)) << "it was always connected to";
  EXPECT_EQ(picks(), 0);
  EXPECT_TRUE(service.report(*resets, BackendOutcome::kAnswered));
  EXPECT_EQ(picks(), 10);
}

TEST(Backend, IsEjectedForLongerWithEachFailureUpToHalfAMinute) {
  Backend backend(parse_address("127.0.0.1:1").value());
  auto now = Clock::now();
  for (const auto length : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    backend.report(BackendOutcome::kConnectFailed, now);
    EXPECT_EQ(backend.ejected_until() - now, length);
    now = backend.ejected_until();
  }
}

TEST(Service, KeepsWhatItKnowsOfABackendThatIsPublishedAgain) {
  Service service("web");
  const auto publish = service.way_in(service.add_source());
  publish({endpoint("127.0.0.1:1")});
  const auto before = service.pick({});
  service.report(*before, BackendOutcome::kConnectFailed);
  publish({endpoint("127.0.0.1:1"), endpoint("127.0.0.1:2")});
  EXPECT_EQ(service.in_force()->front().backend, before);
}

TEST(Service, WakesThoseWhoWaitForAChange) {
  asio::io_context io;
  Service service("web");
  const auto publish = service.way_in(service.add_source());
  bool woken = false;
  spawn(io, [](Service& waited_for, bool& done) -> awaitable<void> {
    co_await waited_for.wait_for_change(waited_for.choice()->version, Clock::now() + 1h);
    done = true;
  }(service, woken));
  io.poll();
  EXPECT_FALSE(woken);
  publish({endpoint("127.0.0.1:1")});
  io.run();
  EXPECT_TRUE(woken);
}

TEST(Service, DoesNotWakeForTheSameSet) {
  Service service("web");
  const auto publish = service.way_in(service.add_source());
  publish({endpoint("127.0.0.1:1")});
  const auto version = service.choice()->version;
  publish({endpoint("127.0.0.1:1")});
  EXPECT_EQ(service.choice()->version, version);
}

TEST(Service, RejectsWhatIsObjectedToAndPutsTheRestInForce) {
  Service service("web");
  const CapturedLog log;
  service.reject_by([](const tcp::endpoint& address) {
    return address.port() == 1 ? "port 1 is ours" : std::string();
  });
  const auto publish = service.way_in(service.add_source());
  publish({endpoint("127.0.0.1:1", "/web/a"), endpoint("127.0.0.1:2", "/web/b")});
  publish({endpoint("127.0.0.1:1", "/web/a"), endpoint("127.0.0.1:3", "/web/b")});
  EXPECT_EQ(in_force(service), Addresses{"127.0.0.1:3"});
  EXPECT_EQ(service.rejected(), (std::vector<RejectedValue>{{"/web/a", "port 1 is ours"}}));
  const auto lines = log.lines();
  EXPECT_EQ(std::ranges::count(lines, "service web: /web/a: value rejected: port 1 is ours"), 1)
      << "said once, while it stands there";
}

TEST(Service, JudgesAgainWhenItIsAsked) {
  Service service("web");
  std::string objection;
  service.reject_by([&](const tcp::endpoint&) { return objection; });
  publish_to(service, {endpoint("127.0.0.1:1", "/web/a")});
  const auto backend = service.pick({});
  const auto version = service.choice()->version;
  service.judge_again();
  EXPECT_EQ(service.choice()->version, version) << "nothing has changed";

  objection = "ours by now";
  service.judge_again();
  EXPECT_EQ(service.pick({}), nullptr);
  EXPECT_EQ(service.rejected().size(), 1U);
  objection.clear();
  service.judge_again();
  EXPECT_EQ(in_force(service), Addresses{"127.0.0.1:1"});
  EXPECT_TRUE(service.rejected().empty());
  EXPECT_EQ(service.choice()->version, version + 2);
}

TEST(Service, LeavesOutASourceThatIsNotKept) {
  Service service("web");
  const auto source = service.add_source();
  const auto other = service.add_source();
  service.publish(source, {endpoint("127.0.0.1:1")});
  service.publish(other, {endpoint("127.0.0.1:2")});
  service.keep_sources({other});
  EXPECT_EQ(in_force(service), Addresses{"127.0.0.1:2"});
  service.publish(source, {endpoint("127.0.0.1:3")});
  EXPECT_EQ(in_force(service), Addresses{"127.0.0.1:2"}) << "it is nobody's any more";
}

TEST(Service, HasItsSourcesInTheOrderInWhichTheyAreKept) {
  Service service("web");
  const auto one = service.add_source();
  const auto two = service.add_source();
  service.publish(one, {endpoint("127.0.0.1:1")});
  service.publish(two, {endpoint("127.0.0.1:2")});
  service.keep_sources({two, one});
  EXPECT_EQ(in_force(service), (Addresses{"127.0.0.1:2", "127.0.0.1:1"}));
  service.publish(one, {endpoint("127.0.0.1:3")});
  EXPECT_EQ(in_force(service), (Addresses{"127.0.0.1:2", "127.0.0.1:3"}));
}

TEST(Service, HasANewChoiceForEachChangeOfHealthAndPolicy) {
  Service service("web");
  publish_to(service, {endpoint("127.0.0.1:1"), endpoint("127.0.0.1:2")});
  const auto all = service.choice();
  EXPECT_EQ(all->candidates.size(), 2U);
  EXPECT_EQ(all->until, Clock::time_point::max());

  const auto failing = all->candidates[0].backend;
  service.report(*failing, BackendOutcome::kConnectFailed);
  const auto without = service.choice();
  EXPECT_GT(without->version, all->version);
  ASSERT_EQ(without->candidates.size(), 1U);
  EXPECT_NE(without->candidates[0].backend, failing);
  EXPECT_EQ(without->until, failing->ejected_until()) << "when it is to be made anew";
  EXPECT_EQ(all->candidates.size(), 2U) << "who holds one holds it as it was";

  service.report(*failing, BackendOutcome::kConnected);
  service.choose_by({policy_named("first")});
  const auto first = service.choice();
  EXPECT_GT(first->version, without->version + 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(service.pick({}), failing);
}

TEST(Service, PicksWhatHasNotBeenTriedWhileThereIsSuch) {
  Service service("web");
  service.choose_by({policy_named("first")});
  publish_to(service, {endpoint("127.0.0.1:1"), endpoint("127.0.0.1:2")});
  const auto one = service.pick({});
  const auto other = service.pick({}, {one});
  EXPECT_NE(other, one);
  EXPECT_EQ(service.pick({}, {one, other}), one);
}

TEST(Service, CountsAWeightThatIsNoneAsOneAndTells) {
  Service service("web");
  const CapturedLog log;
  publish_to(service, {{parse_address("127.0.0.1:1").value(), "/web/a", {{"weight", "heavy"}}},
                       {parse_address("127.0.0.1:2").value(), "/web/b", {{"weight", "3"}}}});
  EXPECT_EQ(service.in_force()->at(0).standing.weight, 1U);
  EXPECT_EQ(service.in_force()->at(1).standing.weight, 3U);
  ASSERT_EQ(service.rejected().size(), 1U);
  EXPECT_EQ(service.rejected()[0].key, "/web/a");
}

TEST(Address, IsReadAsItIsWritten) {
  for (const auto* text : {"127.0.0.1:1", "[::1]:65535", "[fe80::1]:80"})
    EXPECT_EQ(to_string(parse_address(text).value()), text);
  for (const auto* text :
       {"", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "::1:80", "[::1]",
        "[127.0.0.1]:80", "localhost:80", "127.0.0.1:+80", "127.0.0.1: 80", "127.0.0.1:80 "})
    EXPECT_FALSE(parse_address(text)) << text;
  EXPECT_FALSE(parse_address(std::string("127.0.0.1\0.example:80", 20)));
}

}  // namespace
}  // namespace ambbpf::test
