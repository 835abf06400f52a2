// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <optional>

#include "userspace/health/health_checks.h"
#include "userspace/health/rise_and_fall.h"
#include "userspace/health/schedule.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

// "+" a good check, "-" a failed one; after each "u" up, "d" down, in capitals where that is new.
std::string states_after(std::string_view checks, unsigned rise, unsigned fall) {
  RiseAndFall state;
  std::string states;
  for (const char check : checks) {
    const bool is_news = state.count(check == '+', rise, fall);
    states += state.is_up() ? (is_news ? 'U' : 'u') : (is_news ? 'D' : 'd');
  }
  return states;
}

TEST(RiseAndFall, TakesSoManyInARow) {
  struct {
    std::string checks;
    unsigned rise;
    unsigned fall;
    std::string states;
  } const table[] = {
      {"+++", 2, 3, "uuu"},
      {"---", 2, 3, "uuD"},
      {"--+--+---", 2, 3, "uuuuuuuuD"},  // a good one between them begins anew
      {"-----", 2, 3, "uuDdd"},
      {"---++", 2, 3, "uuDdU"},
      {"---+-++", 2, 3, "uuDdddU"},
      {"---++--+---", 2, 3, "uuDdUuuuuuD"},
      {"-+-+", 1, 1, "DUDU"},
      {"", 1, 1, ""},
  };
  for (const auto& [checks, rise, fall, states] : table)
    EXPECT_EQ(states_after(checks, rise, fall), states) << checks;
}

TEST(CheckSchedule, SpreadsFirstChecksOverTheInterval) {
  constexpr std::size_t kCount = 10;
  for (const double random : {0.0, 0.5, 0.999})
    for (std::size_t i = 0; i < kCount; ++i) {
      const auto first = first_check_after(i, kCount, 2000ms, random);
      EXPECT_GE(first, i * 200ms) << random;
      EXPECT_LT(first, (i + 1) * 200ms) << random;
    }
  EXPECT_EQ(first_check_after(0, 1, 2000ms, 0.75), 1500ms) << "alone it comes at any time of it";
}

TEST(CheckSchedule, LetsFurtherOnesVaryByATenth) {
  EXPECT_EQ(next_check_after(2000ms, 0.0), 1800ms);
  EXPECT_EQ(next_check_after(2000ms, 0.5), 2000ms);
  EXPECT_LE(next_check_after(2000ms, 0.999), 2200ms);
}

awaitable<void> enter_and_count(std::shared_ptr<CheckPlaces> places, std::size_t& inside) {
  const bool entered = co_await places->enter();
  if (entered) ++inside;
}

TEST(CheckPlaces, LetInOnlySoManyAtOnceAndTheNextOneWhenOneLeaves) {
  asio::io_context io;
  const auto places = std::make_shared<CheckPlaces>();
  std::size_t inside = 0;
  for (std::size_t i = 0; i < CheckPlaces::kMost + 2; ++i)
    spawn(io, enter_and_count(places, inside));
  io.poll();
  EXPECT_EQ(inside, CheckPlaces::kMost);
  places->leave();
  io.poll();
  EXPECT_EQ(inside, CheckPlaces::kMost + 1);
}

TEST(CheckPlaces, WhoIsCancelledWhileWaitingTakesNone) {
  asio::io_context io;
  const auto places = std::make_shared<CheckPlaces>();
  std::size_t inside = 0;
  for (std::size_t i = 0; i < CheckPlaces::kMost; ++i) spawn(io, enter_and_count(places, inside));
  std::size_t cancelled = 0;
  std::size_t patient = 0;
  Task waiting(io.get_executor(), enter_and_count(places, cancelled), nullptr);
  io.poll();
  spawn(io, enter_and_count(places, patient));
  io.poll();
  waiting.stop();
  io.poll();
  places->leave();
  io.poll();
  EXPECT_EQ(cancelled, 0U);
  EXPECT_EQ(patient, 1U);
}

Checked checked_now(bool is_down) {
  const auto now = Clock::now();
  return {.is_down = is_down,
          .since = now,
          .at = now,
          .passed = !is_down,
          .last_error = is_down ? "HTTP 503" : ""};
}

// By its checks, whatever connects say.
TEST(Service, PassesOverWhomItsChecksFindDown) {
  Service service("web");
  const auto source = service.add_source();
  const tcp::endpoint one(asio::ip::make_address("10.0.0.1"), 80);
  const tcp::endpoint other(asio::ip::make_address("10.0.0.2"), 80);
  service.publish(source, {{one, "1"}, {other, "2"}});
  const auto backends = *service.in_force();
  auto& first = *backends[0].backend;
  const auto candidates = [&] { return service.choice()->candidates.size(); };
  const auto version = service.choice()->version;
  service.report_check(first, checked_now(false));
  EXPECT_EQ(service.choice()->version, version) << "no news";
  service.report_check(first, checked_now(true));
  EXPECT_GT(service.choice()->version, version);
  EXPECT_EQ(candidates(), 1U);
  EXPECT_EQ(service.pick({})->address(), other);
  service.report(first, BackendOutcome::kConnected);
  EXPECT_EQ(candidates(), 1U) << "a good connect is no check";
  service.report_check(*backends[1].backend, checked_now(true));
  EXPECT_EQ(candidates(), 2U) << "there is no better one";
  service.report_check(first, std::nullopt);
  EXPECT_EQ(service.pick({})->address(), one);
}

}  // namespace
}  // namespace ambbpf::test
