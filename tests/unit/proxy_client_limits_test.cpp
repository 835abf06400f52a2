// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>

#include "userspace/proxy/client_limits.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;
using Verdict = ClientLimits::Verdict;

asio::ip::address_v4 client(std::uint32_t number) {
  return asio::ip::address_v4(0x0a000000 + number);
}
asio::ip::address address(const char* text) { return asio::ip::make_address(text); }

// Who leaves does so now, and is remembered, as what counts is still to come.
Clock::time_point in_an_hour() { return Clock::now() + 1h; }

std::shared_ptr<ClientLimits> limits(const ClientLimitSettings& settings) {
  auto made = std::make_shared<ClientLimits>();
  made->change(settings);
  return made;
}

TEST(ClientLimitsOfRates, LetASecondsWorthThroughAtOnceAndThenOneByOne) {
  auto some = limits({.rate_of_a_client = 10});
  auto now = in_an_hour();
  const auto ask = [&] { return some->ask(client(1), now).verdict; };
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(), Verdict::kWelcome) << i;
  EXPECT_EQ(ask(), Verdict::kTooFast);
  now += 99ms;
  EXPECT_EQ(ask(), Verdict::kTooFast);
  now += 1ms;
  EXPECT_EQ(ask(), Verdict::kWelcome);
  EXPECT_EQ(ask(), Verdict::kTooFast);
  EXPECT_EQ(some->ask(client(2), now).verdict, Verdict::kWelcome) << "another client's is its own";
  now += 1h;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(), Verdict::kWelcome) << "nothing is saved up " << i;
  EXPECT_EQ(ask(), Verdict::kTooFast);
}

// However they come, never more than a second's worth above the rate.
TEST(ClientLimitsOfRates, HoldOverAnyTime) {
  auto some = limits({.rate = 1000});
  const Clock::time_point start(100s);
  std::deque<Clock::time_point> let_in;
  for (auto now = start; now < start + 5s; now += 200us)  // 5,000 a second
    if (some->ask(client(1), now).verdict == Verdict::kWelcome) let_in.push_back(now);
  EXPECT_EQ(let_in.size(), 1000U + 5 * 1000 - 1);
  for (std::size_t i = 2000; i < let_in.size(); ++i)
    EXPECT_GE(let_in[i] - let_in[i - 2000], 999ms) << i;
}

TEST(ClientLimitsOfRates, OfAllAreNotUsedUpByAClientThatIsRefused) {
  auto some = limits({.rate = 5, .rate_of_a_client = 1});
  const auto now = in_an_hour();
  EXPECT_EQ(some->ask(client(1), now).verdict, Verdict::kWelcome);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(some->ask(client(1), now).verdict, Verdict::kTooFast);
  for (std::uint32_t i = 2; i < 6; ++i)
    EXPECT_EQ(some->ask(client(i), now).verdict, Verdict::kWelcome);
  EXPECT_EQ(some->ask(client(6), now).verdict, Verdict::kTooFastForAll);
}

TEST(ClientLimitsOfConnections, AreForThoseThatAreOpen) {
  auto some = limits({.most_of_a_client = 2});
  const auto now = in_an_hour();
  std::deque<ClientLimits::Answer> open;
  open.push_back(some->ask(client(1), now));
  open.push_back(some->ask(client(1), now));
  EXPECT_EQ(some->ask(client(1), now).verdict, Verdict::kTooMany);
  EXPECT_EQ(some->ask(client(2), now).verdict, Verdict::kWelcome);
  open.pop_front();
  open.push_back(some->ask(client(1), now));
  EXPECT_EQ(open.back().verdict, Verdict::kWelcome);
  EXPECT_EQ(some->ask(client(1), now).verdict, Verdict::kTooMany);
  open.clear();
  EXPECT_EQ(some->clients(), 0U) << "nobody is remembered for nothing";
}

TEST(ClientLimitsOfConnections, HoldForAllThreadsTogether) {
  constexpr int kMost = 100;
  auto some = limits({.most_of_a_client = kMost});
  std::atomic<int> open{0}, most_seen{0}, let_in{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      std::deque<ClientLimits::Answer> own;
      for (int i = 0; i < 20'000; ++i) {
        auto answer = some->ask(client(1), Clock::now());
        if (answer.verdict == Verdict::kWelcome) {
          ++let_in;
          const int now = ++open;
          for (int seen = most_seen; now > seen && !most_seen.compare_exchange_weak(seen, now);)
            continue;
          own.push_back(std::move(answer));
        }
        if (own.size() > 40 || (answer.verdict != Verdict::kWelcome && !own.empty())) {
          --open;
          own.pop_front();
        }
      }
      open -= static_cast<int>(own.size());
    });
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most_seen, kMost);
  EXPECT_GT(let_in, kMost);
  EXPECT_EQ(some->clients(), 0U);
}

TEST(ClientLimitsOfConnections, ChangeForNewOnes) {
  auto some = limits({.most_of_a_client = 1});
  const auto now = in_an_hour();
  const auto first = some->ask(client(1), now);
  some->change({.most_of_a_client = 2});
  const auto second = some->ask(client(1), now);
  EXPECT_EQ(second.verdict, Verdict::kWelcome);
  some->change({.most_of_a_client = 1});
  EXPECT_EQ(some->ask(client(1), now).verdict, Verdict::kTooMany);
  some->change({});
  EXPECT_EQ(some->ask(client(1), now).verdict, Verdict::kWelcome);
}

TEST(ClientLimits, RememberNoMoreThanSoMany) {
  auto some = limits({.most_of_a_client = 1, .rate_of_a_client = 1});
  auto now = in_an_hour();
  const auto stays = some->ask(client(0), now);
  for (std::uint32_t i = 1; i < 200'000; ++i) {
    now += 1us;
    EXPECT_EQ(some->ask(client(i), now).verdict, Verdict::kWelcome);
    ASSERT_LE(some->clients(), ClientLimits::kMostClients);
  }
  EXPECT_EQ(some->ask(client(0), now).verdict, Verdict::kTooMany) << "it has one open";
  EXPECT_EQ(some->ask(client(199'999), now).verdict, Verdict::kTooFast) << "it came last";
}

TEST(ClientLimits, AreForWhoIsAllowedAndNotDenied) {
  const auto network = [](const char* text) { return *Network::parse(text); };
  auto some = limits(
      {.allow = {network("10.0.0.0/8"), network("fd00::/8")}, .deny = {network("10.9.0.0/16")}});
  const auto ask = [&](const char* text) { return some->ask(address(text), Clock::now()).verdict; };
  EXPECT_EQ(ask("10.1.2.3"), Verdict::kWelcome);
  EXPECT_EQ(ask("::ffff:10.1.2.3"), Verdict::kWelcome);
  EXPECT_EQ(ask("fd00::1"), Verdict::kWelcome);
  EXPECT_EQ(ask("10.9.2.3"), Verdict::kDenied);
  EXPECT_EQ(ask("192.0.2.1"), Verdict::kDenied);
  some->change({.deny = {network("10.9.0.0/16")}});
  EXPECT_EQ(ask("192.0.2.1"), Verdict::kWelcome);
  EXPECT_EQ(ask("10.9.2.3"), Verdict::kDenied);
}

TEST(ClientLimits, TakeANetworkOfIPv6ForAClient) {
  auto some = limits({.most_of_a_client = 1});
  const auto now = in_an_hour();
  const auto first = some->ask(address("2001:db8::1"), now);
  EXPECT_EQ(some->ask(address("2001:db8::ffff:1"), now).verdict, Verdict::kTooMany);
  EXPECT_EQ(some->ask(address("2001:db8:0:1::1"), now).verdict, Verdict::kWelcome);
  const auto v4 = some->ask(address("10.0.0.1"), now);
  EXPECT_EQ(some->ask(address("::ffff:10.0.0.1"), now).verdict, Verdict::kTooMany);
  EXPECT_EQ(some->ask(address("::ffff:10.0.0.2"), now).verdict, Verdict::kWelcome);
}

}  // namespace
}  // namespace ambbpf
