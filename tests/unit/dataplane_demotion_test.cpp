// SPDX-License-Identifier: Apache-2.0
// Connections in the kernel of which many are busy at once.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>
#include <vector>

#include "tests/support/peers.h"
#include "userspace/dataplane/relay.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::Peer;

constexpr std::size_t kCrowdOfPairs = 12;
constexpr std::size_t kMessageSize = 1000;

class DemotedConnections : public testing::Test {
 protected:
  struct Pair {
    Peer client;
    Peer backend;
  };

  void SetUp() override {
    RelayOptions options;
    options.promotion = {.turns = 0, .age = {}, .only_where_faster = only_where_faster};
    options.demotion = {.connections = 4, .turns_per_second = 20, .calm = calm};
    options.slots = 2 * kCrowdOfPairs + 2;
    auto made = Relay::create(io, options);
    if (!made) GTEST_SKIP() << made.error().message();
    relay = std::move(*made);
    while (pairs.size() < kCrowdOfPairs) pairs.push_back(relayed());
    serving = test::in_background([this] { io.run(); });
    ASSERT_TRUE(eventually([&] { return all_are_in_the_kernel(); }));
  }

  void TearDown() override {
    io.stop();
    if (serving.valid()) serving.wait();
  }

  // On the relay's thread, or before it serves.
  Pair relayed() {
    Peer client = Peer::connect_to(listener.address());
    const Peer accepted = listener.accept();
    const Peer connected = Peer::connect_to(listener.address());
    relay->adopt({.socket = relays(accepted)}, {.socket = relays(connected)}, {}, nullptr);
    return {std::move(client), listener.accept()};
  }

  static UniqueFd relays(const Peer& peer) {
    EXPECT_EQ(::fcntl(peer.socket(), F_SETFL, O_NONBLOCK), 0);
    return UniqueFd(::fcntl(peer.socket(), F_DUPFD_CLOEXEC, 0));
  }

  bool all_are_in_the_kernel() const {
    return relay->counts().directions_in_kernel_now == 2 * kCrowdOfPairs;
  }

  // One turn of each of the first `count` connections, which the backend answers.
  void take_a_turn(std::size_t count) {
    const auto message = test::bytes_from_seed(++turns, kMessageSize);
    for (std::size_t i = 0; i < count; ++i) pairs[i].client.send(message);
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(test::same(pairs[i].backend.read(message.size()), message));
      pairs[i].backend.send(message);
    }
    for (std::size_t i = 0; i < count; ++i)
      ASSERT_TRUE(test::same(pairs[i].client.read(message.size()), message));
  }

  std::chrono::milliseconds calm = 300ms;
  bool only_where_faster = false;
  test::Listener listener{test::loopback_v4()};
  asio::io_context io;
  std::unique_ptr<Relay> relay;
  std::vector<Pair> pairs;
  std::future<void> serving;
  std::uint64_t turns = 0;
};

class ConnectionsDemotedForLong : public DemotedConnections {
 protected:
  ConnectionsDemotedForLong() { calm = 60s; }
};

TEST_F(DemotedConnections, AreServedInUserSpaceWhileManyAreBusy) {
  EXPECT_TRUE(eventually([&] {
    const auto before = relay->counts().to_client.user_bytes;
    take_a_turn(kCrowdOfPairs);
    return relay->counts().to_client.user_bytes >= before + kCrowdOfPairs * kMessageSize;
  }));
  EXPECT_GE(relay->counts().demoted, kCrowdOfPairs);
  EXPECT_TRUE(eventually([&] { return all_are_in_the_kernel(); })) << "they are quiet again";
  take_a_turn(kCrowdOfPairs);
  EXPECT_EQ(relay->counts().mismatches, 0U);
}

TEST_F(DemotedConnections, AreNotThoseOfAThreadWithFewThatAreBusy) {
  const auto end = std::chrono::steady_clock::now() + 600ms;
  while (std::chrono::steady_clock::now() < end) take_a_turn(4);
  EXPECT_EQ(relay->counts().demoted, 0U);
}

TEST_F(ConnectionsDemotedForLong, AreNotThoseThatAreQuiet) {
  ASSERT_TRUE(eventually([&] {
    take_a_turn(kCrowdOfPairs - 1);
    return relay->counts().directions_in_kernel_now == 2U;
  }));
  EXPECT_EQ(relay->counts().demoted, kCrowdOfPairs - 1);
}

class NewConnectionOfACrowd : public ConnectionsDemotedForLong {
 protected:
  NewConnectionOfACrowd() { only_where_faster = true; }
};

TEST_F(NewConnectionOfACrowd, StaysInUserSpace) {
  ASSERT_TRUE(eventually([&] {
    take_a_turn(kCrowdOfPairs);
    return relay->counts().demoted > 0;
  }));
  std::promise<Pair> made;
  asio::post(io, [&] { made.set_value(relayed()); });
  pairs.push_back(made.get_future().get());
  for (int i = 0; i < 20; ++i) take_a_turn(pairs.size());
  EXPECT_EQ(relay->counts().promoted, kCrowdOfPairs);
}

// Two threads of a process, of which this one has few connections.
class ThreadAmongOthers : public DemotedConnections {
 protected:
  void SetUp() override {
    RelayOptions options;
    options.promotion = {.turns = 4, .age = 60s};
    options.demotion = {.connections = 2};
    for (auto* thread : {&others, &relay}) {
      auto made = Relay::create(io, options);
      if (!made) GTEST_SKIP() << made.error().message();
      *thread = std::move(*made);
    }
    pairs.push_back(relayed());
  }

  void serve() {
    serving = test::in_background([this] { io.run(); });
  }

  void take_turns() {
    for (int i = 0; i < 20; ++i) take_a_turn(1);
  }

  std::unique_ptr<Relay> others;
};

TEST_F(ThreadAmongOthers, PromotesByTurnsWhereAllHaveFewConnections) {
  serve();
  take_turns();
  EXPECT_EQ(relay->counts().promoted, 1U);
}

TEST_F(ThreadAmongOthers, PromotesNoneByTurnsWhereTheyHaveMany) {
  std::swap(relay, others);
  for (int i = 0; i < 4; ++i) pairs.push_back(relayed());
  std::swap(relay, others);
  serve();
  take_turns();
  EXPECT_EQ(relay->counts().promoted, 0U);
}

}  // namespace
}  // namespace ambbpf
