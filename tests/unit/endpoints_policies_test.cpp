// SPDX-License-Identifier: Apache-2.0
// Policies that look at more than the turn.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>

#include "tests/unit/candidates.h"
#include "userspace/endpoints/service.h"

namespace ambbpf::test {
namespace {

using ::testing::ElementsAre;

// Opens `connections` that stay.
std::vector<std::uint64_t> opened(const Choice& choice, std::uint64_t connections) {
  for (std::uint64_t turn = 0; turn < connections; ++turn)
    ++choice.pick(Client{}, turn)->backend->connections_now;
  std::vector<std::uint64_t> open;
  for (const auto& candidate : choice.candidates) open.push_back(candidate.backend->busy());
  return open;
}

struct Busy {
  std::vector<std::uint32_t> weights;
  std::vector<std::uint64_t> connections;
  std::uint64_t turn;
  int taken;  // its port
};

TEST(LeastConnections, TakesWhoHasTheFewestForItsWeight) {
  const Busy table[] = {
      {{1, 1, 1}, {2, 1, 3}, 0, 2}, {{1, 1, 1}, {2, 1, 3}, 2, 2},
      {{5, 1}, {4, 1}, 3, 1},                                // 4 / 5 against 1
      {{5, 1}, {6, 1}, 0, 2},       {{5, 1}, {5, 1}, 0, 1},  // whose turn it is, of equals
      {{5, 1}, {5, 1}, 3, 2},       {{1, 1, 1}, {0, 0, 0}, 4, 2},
      {{1, 1, 1}, {1, 0, 0}, 0, 2},  // or who comes next
      {{1, 1, 1}, {1, 0, 0}, 2, 3}, {{1000, 999}, {1'000'000'000, 999'000'000}, 0, 1},
      {{0, 0}, {7, 1}, 0, 1},  // where all are of weight 0, only turns are left
      {{0, 0}, {7, 1}, 1, 2},
  };
  for (const auto& [weights, connections, turn, taken] : table) {
    const auto choice = choice_of("least_connections", candidates_of_weights(weights));
    for (std::size_t i = 0; i < weights.size(); ++i)
      choice.candidates[i].backend->connections_now = connections[i];
    EXPECT_EQ(port_of(choice.pick(Client{}, turn)), taken)
        << testing::PrintToString(weights) << testing::PrintToString(connections) << turn;
  }
}

TEST(LeastConnections, CountsThoseThatAreBeingMade) {
  const auto choice = choice_of("least_connections", candidates_of_weights({1, 1}));
  choice.candidates[0].backend->connecting = 1;
  for (std::uint64_t turn = 0; turn < 3; ++turn) EXPECT_EQ(port_of(choice.pick(Client{}, turn)), 2);
}

TEST(LeastConnections, HasOpenOnesAsTheWeightsSay) {
  const auto choice = choice_of("least_connections", candidates_of_weights({5, 1, 1}));
  EXPECT_THAT(opened(choice, 7'000), ElementsAre(5'000, 1'000, 1'000));
}

TEST(RandomTwo, TakesTheLessBusyOfTwo) {
  const auto choice = choice_of("random_two", candidates_of_weights({9, 1, 1}));
  choice.candidates[0].backend->connections_now = 100;
  std::map<int, int> taken;
  for (std::uint64_t turn = 0; turn < 1'000; ++turn) ++taken[port_of(choice.pick(Client{}, turn))];
  EXPECT_EQ(taken[1], 0) << "the other one is always less busy, as they are two";
  EXPECT_GT(taken[2], 300);
  EXPECT_GT(taken[3], 300);
}

TEST(RandomTwo, DrawsAsTheWeightsSayAndOtherwiseForEachSeed) {
  auto choice = choice_of("random_two", candidates_of_weights({5, 1, 1}));
  const auto drawn = [&choice] {
    std::vector<int> ports;
    for (std::uint64_t turn = 0; turn < 7'000; ++turn)
      ports.push_back(port_of(choice.pick(Client{}, turn)));
    return ports;
  };
  const auto one = drawn();
  EXPECT_EQ(drawn(), one) << "it is a pure function";
  choice.seed = 99;
  EXPECT_NE(drawn(), one);
  fmt::print("measured, random_two of idle ones at 5:1:1: {}:{}:{} of 7000\n",
             std::ranges::count(one, 1), std::ranges::count(one, 2), std::ranges::count(one, 3));
  EXPECT_NEAR(static_cast<double>(std::ranges::count(one, 1)), 5'000, 150);
}

TEST(RandomTwo, IsNearlyAsEvenAsToLookAtAll) {
  const auto open =
      opened(choice_of("random_two", candidates_of_weights({1, 1, 1, 1, 1, 1, 1, 1})), 8'000);
  const auto [least, most] = std::ranges::minmax(open);
  fmt::print("measured, random_two, 8000 open ones at 8: {} to {} each\n", least, most);
  EXPECT_LE(most - least, 10U);
}

TEST(RandomTwo, EndsWhereOnlyOneCanBeDrawn) {
  EXPECT_EQ(port_of(choice_of("random_two", candidates_of_weights({1})).pick(Client{}, 3)), 1);
  EXPECT_EQ(port_of(choice_of("random_two", candidates_of_weights({3, 0})).pick(Client{}, 3)), 1);
}

Client client(std::uint32_t number, unsigned short port = 40'000) {
  return {tcp::endpoint(asio::ip::address_v4(0x0a00'0000U + number), port)};
}

constexpr std::uint32_t kClients = 10'000;

std::vector<int> taken_by(const Choice& choice) {
  std::vector<int> ports;
  for (std::uint32_t number = 0; number < kClients; ++number)
    ports.push_back(port_of(choice.pick(client(number), number)));
  return ports;
}

double percent_moved(const std::vector<int>& before, const std::vector<int>& after) {
  std::size_t moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i) moved += before[i] != after[i] ? 1 : 0;
  return 100.0 * static_cast<double>(moved) / static_cast<double>(before.size());
}

// Also in the next version, where others still run this one.
TEST(Source, TakesTheSameForAnAddressAlways) {
  const auto choice = choice_of("source", candidates_of_weights({1, 1, 3, 1}));
  const auto at = [&choice](const std::string& address, unsigned short port, std::uint64_t turn) {
    return port_of(choice.pick({{asio::ip::make_address(address), port}}, turn));
  };
  EXPECT_EQ(at("10.0.0.1", 1, 0), 4);
  EXPECT_EQ(at("10.0.0.1", 60'000, 7), 4) << "neither its port nor the turn counts";
  EXPECT_EQ(at("::ffff:10.0.0.1", 1, 0), 4);
  EXPECT_EQ(at("10.0.0.2", 1, 0), 3);
  EXPECT_EQ(at("10.0.0.3", 1, 0), 4);
  EXPECT_EQ(at("fd00::1", 1, 0), 3);
}

TEST(Source, DoesNotDependOnTheOrderOfArrival) {
  auto candidates = candidates_of_weights({1, 2, 3, 4, 1, 2, 3, 4});
  const auto before = taken_by(choice_of("source", candidates));
  std::mt19937 random(1);
  for (int i = 0; i < 5; ++i) {
    std::ranges::shuffle(candidates, random);
    // Others at the same addresses, as after a restart.
    for (auto& candidate : candidates)
      candidate.backend = std::make_shared<Backend>(candidate.backend->address());
    EXPECT_EQ(taken_by(choice_of("source", candidates)), before);
  }
}

TEST(Source, MovesFewWhenOneGoesAndMovesThemBack) {
  const auto all = candidates_of_weights({1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  const auto before = taken_by(choice_of("source", all));
  double most = 0;
  for (std::ptrdiff_t gone = 0; gone < std::ssize(all); ++gone) {
    auto nine = all;
    nine.erase(nine.begin() + gone);
    const auto moved = percent_moved(before, taken_by(choice_of("source", nine)));
    EXPECT_LE(moved, 12) << gone;
    most = std::max(most, moved);
    nine.push_back(all[static_cast<std::size_t>(gone)]);
    EXPECT_EQ(taken_by(choice_of("source", nine)), before) << "all are back";
  }
  fmt::print("measured, source, 10 endpoints to 9: at most {:.1f} % of {} clients move\n", most,
             kClients);
}

TEST(Source, GivesEachItsWeightOfClients) {
  const auto taken = taken_by(choice_of("source", candidates_of_weights({5, 1, 1, 3})));
  const auto share = [&](int port) { return static_cast<double>(std::ranges::count(taken, port)); };
  fmt::print("measured, source at 5:1:1:3: {}:{}:{}:{} of {} clients\n", share(1), share(2),
             share(3), share(4), kClients);
  EXPECT_NEAR(share(1), 5'000, 200);
  EXPECT_NEAR(share(2), 1'000, 120);
  EXPECT_NEAR(share(4), 3'000, 200);
}

TEST(Source, HasABoundedTableWithAPlaceForEachOfThousands) {
  for (const std::uint32_t step : {0U, 1U}) {
    std::vector<std::uint32_t> weights;
    for (std::uint32_t i = 0; i < 5'000; ++i) weights.push_back(1 + step * (i % 1'000));
    const auto candidates = candidates_of_weights(weights);
    const auto begun = Clock::now();
    const auto choice = choice_of("source", candidates);
    const std::chrono::duration<double, std::milli> took = Clock::now() - begun;
    fmt::print("measured, source, a table of {} places for {} endpoints: {:.1f} ms\n",
               choice.order.size(), weights.size(), took.count());
    EXPECT_EQ(choice.order.size(), 65'537U);
    std::vector<bool> has_a_place(weights.size());
    for (const auto index : choice.order) has_a_place[index] = true;
    EXPECT_EQ(std::count(has_a_place.begin(), has_a_place.end(), false), 0);
  }
}

// Through the table that all threads share.
class Balanced : public testing::Test {
 protected:
  static constexpr unsigned kThreads = 4;

  static Endpoint weighed(unsigned short port, const std::string& weight) {
    return {{asio::ip::address_v4::loopback(), port}, "key", {{"weight", weight}}};
  }
  // What each thread has picked.
  template <class Pick>
  static std::vector<std::vector<int>> in_threads(Pick pick) {
    std::vector<std::vector<int>> picked(kThreads);
    std::vector<std::thread> threads;
    for (auto& mine : picked) threads.emplace_back([&mine, pick] { pick(mine); });
    for (auto& thread : threads) thread.join();
    return picked;
  }

  Service service{"web"};
  Publish publish = service.way_in(service.add_source());
};

TEST_F(Balanced, ConnectionsOfAllThreadsAreWeighed) {
  publish({weighed(1, "5"), weighed(2, "1"), weighed(3, "1")});
  std::map<int, int> taken;
  const auto picked = in_threads([this](std::vector<int>& mine) {
    for (unsigned i = 0; i < 7'000 / kThreads; ++i)
      mine.push_back(service.pick(client(i))->address().port());
  });
  for (const auto& mine : picked)
    for (const auto port : mine) ++taken[port];
  fmt::print("measured, round_robin at 5:1:1: {}:{}:{} of 7000\n", taken[1], taken[2], taken[3]);
  EXPECT_NEAR(taken[1], 5'000, 50);
  EXPECT_NEAR(taken[2], 1'000, 10);
  EXPECT_NEAR(taken[3], 1'000, 10);
}

TEST_F(Balanced, AClientIsTakenByTheSameInEveryThread) {
  service.choose_by({policy_named("source")});
  publish({weighed(1, "1"), weighed(2, "2"), weighed(3, "1")});
  const auto picked = in_threads([this](std::vector<int>& mine) {
    for (std::uint32_t i = 0; i < 2'000; ++i)
      mine.push_back(service.pick(client(i))->address().port());
  });
  for (const auto& mine : picked) EXPECT_EQ(mine, picked[0]);
  Service restarted("web");
  restarted.choose_by({policy_named("source")});
  restarted.publish(restarted.add_source(), {weighed(3, "1"), weighed(2, "2"), weighed(1, "1")});
  for (std::uint32_t i = 0; i < 2'000; ++i)
    ASSERT_EQ(restarted.pick(client(i))->address().port(), picked[0][i]);
}

TEST_F(Balanced, TheZoneOfTheServiceComesFirst) {
  const auto in_zone = [](unsigned short port, const std::string& zone) {
    return Endpoint{{asio::ip::address_v4::loopback(), port}, "key", {{"zone", zone}}};
  };
  publish({in_zone(1, "ams"), in_zone(2, "nyc"), in_zone(3, ""), in_zone(4, "nyc")});
  const auto ports = [this] {
    std::vector<int> all;
    for (const auto& candidate : service.choice()->candidates) all.push_back(port_of(&candidate));
    return all;
  };
  EXPECT_THAT(ports(), ElementsAre(1, 2, 3, 4)) << "without a zone of its own";
  Balance balance{.zone = "nyc", .zone_spill = 60};
  service.choose_by(balance);
  EXPECT_THAT(ports(), ElementsAre(2, 4));
  const auto near = service.choice()->candidates[0].backend;
  service.report(*near, BackendOutcome::kConnectFailed);
  EXPECT_THAT(ports(), ElementsAre(1, 3, 4));
  service.report(*near, BackendOutcome::kConnected);
  EXPECT_THAT(ports(), ElementsAre(2, 4));
  balance.zone = "sfo";
  service.choose_by(balance);
  EXPECT_THAT(ports(), ElementsAre(1, 2, 3, 4)) << "nobody is there";
}

}  // namespace
}  // namespace ambbpf::test
