// SPDX-License-Identifier: Apache-2.0
// Directions that the kernel program gives back while the ring that tells so is full.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>
#include <vector>

#include "tests/support/peers.h"
#include "userspace/dataplane/relay.h"

namespace ambbpf {
namespace {

using test::eventually;
using test::Peer;

constexpr std::size_t kConnections = 150;
constexpr std::uint32_t kRing = 4096;            // the least there may be
constexpr std::uint64_t kRoom = kRing / 16 - 1;  // events
constexpr std::size_t kMessage = 1000;

class LostEvents : public testing::Test {
 protected:
  struct Pair {
    Peer client;
    Peer backend;
  };

  void SetUp() override {
    RelayOptions options;
    options.promotion = {.turns = 0, .age = {}, .only_where_faster = false};
    options.slots = 2 * kConnections;
    options.event_ring_bytes = kRing;
    auto made = Relay::create(io, options);
    if (!made) GTEST_SKIP() << made.error().message();
    relay = std::move(*made);
    test::Listener listener(test::loopback_v4());
    while (pairs.size() < kConnections) {
      Peer client = Peer::connect_to(listener.address());
      const Peer accepted = listener.accept();
      const Peer connected = Peer::connect_to(listener.address());
      relay->adopt({.socket = relays(accepted)}, {.socket = relays(connected)}, {}, nullptr);
      pairs.push_back({std::move(client), listener.accept()});
    }
    ASSERT_TRUE(eventually([&] {
      io.poll();
      return relay->counts().directions_in_kernel_now == 2 * kConnections;
    }));
  }

  void TearDown() override {
    io.stop();
    if (serving.valid()) serving.wait();
  }
  void serve() {
    serving = test::in_background([this] { io.run(); });
  }

  // With a send buffer in which no message has room, so that the program passes each.
  static UniqueFd relays(const Peer& peer) {
    const int tiny = 1;
    EXPECT_EQ(::setsockopt(peer.socket(), SOL_SOCKET, SO_SNDBUF, &tiny, sizeof tiny), 0);
    EXPECT_EQ(::fcntl(peer.socket(), F_SETFL, O_NONBLOCK), 0);
    return UniqueFd(::fcntl(peer.socket(), F_DUPFD_CLOEXEC, 0));
  }

  const std::string& message_of(std::size_t number) const {
    return messages[number % messages.size()];
  }
  Peer& peer(std::size_t number) {
    Pair& pair = pairs[number / 2];
    return number % 2 == 0 ? pair.client : pair.backend;
  }
  // Each gives one direction back.
  void send(std::size_t first, std::size_t last) {
    for (std::size_t number = first; number < last; ++number) peer(number).send(message_of(number));
  }
  void expect_to_arrive(std::size_t number) {
    EXPECT_TRUE(test::same(peer(number ^ 1U).read(kMessage), message_of(number))) << number;
  }

  asio::io_context io;
  std::unique_ptr<Relay> relay;
  std::vector<Pair> pairs;
  std::future<void> serving;
  const std::vector<std::string> messages{test::bytes_from_seed(1, kMessage),
                                          test::bytes_from_seed(2, kMessage),
                                          test::bytes_from_seed(3, kMessage)};
};

TEST_F(LostEvents, DirectionsGoOnThatAFullRingCouldNotTellOf) {
  send(0, 2 * kConnections);
  ASSERT_TRUE(eventually([&] { return relay->counts().lost_events == 2 * kConnections - kRoom; }));
  serve();
  for (std::size_t number = 0; number < 2 * kConnections; ++number) expect_to_arrive(number);
}

// The program finds the ring full while user space empties it. No later event makes up for it, and
// its connection has no other one that user space would have to wait for.
TEST_F(LostEvents, ADirectionGoesOnThatIsLostWhileTheRingIsRead) {
  constexpr std::size_t kLast = 2 * kConnections - 1;
  send(0, kRoom);
  serve();
  send(kLast, kLast + 1);
  expect_to_arrive(kLast);
}

}  // namespace
}  // namespace ambbpf
