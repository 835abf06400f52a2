// SPDX-License-Identifier: Apache-2.0
// Readers that never read, many at once: what they make the kernel and the proxy hold is bounded.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "tests/memory/ambassador.h"
#include "tests/support/own_network.h"

namespace ambbpf::test {
namespace {

// Between two runs with the same engine the kernel's tuning ends apart by about as much.
constexpr std::int64_t kApart = 2 * kMiB;

// Of each connection, by all four sockets: two full send buffers and two full receive buffers.
std::int64_t most_in_sockets() { return 2 * (largest_send_buffer() + largest_receive_buffer()); }

// 200, or on a smaller machine as many as leave the kernel far from its limit.
std::int64_t pressure = 0;  // not to be seen inside a namespace
std::int64_t number_of_connections() {
  return std::clamp<std::int64_t>(pressure / 2 / most_in_sockets(), 10, 200);
}

// Of each connection: what one read took and the target did not take. Entering the sockmap a
// connection takes all that its sockets have, if that is not more than a mebibyte, with room for
// another quarter (Pump::drain).
std::int64_t most_in_user_space(Engine engine) {
  constexpr std::int64_t kAllocator = 16 * kKiB;
  switch (engine) {
    case Engine::kSockmap:
      return kMiB + 256 * kKiB + kAllocator;
    case Engine::kSplice:
      return kAllocator;
    case Engine::kCopy:
      return 128 * kKiB + kAllocator;
  }
  return 0;
}

constexpr std::size_t kChunk = 256 * kKiB;

// The bytes that one connection carries: without end, and no two connections' alike.
class Stream {
 public:
  explicit Stream(std::size_t connection) : start_(connection * 4099) {}

  // What stands at `at`, up to a chunk.
  std::string_view at(std::uint64_t at) const {
    return std::string_view(pattern()).substr((start_ + at) % kPeriod, kChunk);
  }

 private:
  // No power of two: a stretch that moved by whole pages, or by buffers, would not fit.
  static constexpr std::size_t kPeriod = kMiB + 7;
  static const std::string& pattern() {
    static const std::string bytes = [] {
      const auto period = bytes_from_seed(1, kPeriod);
      return period + period.substr(0, kChunk);
    }();
    return bytes;
  }

  std::size_t start_;
};

struct Sender {
  Peer& peer;
  Stream stream;
  std::uint64_t sent = 0;

  void send_what_is_taken() {
    for (;;) {
      const auto bytes = stream.at(sent);
      const auto taken =
          ::send(peer.socket(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (taken < 0 && errno == EAGAIN) return;
      if (taken < 0) throw std::system_error(errno, std::system_category(), "send");
      sent += static_cast<std::uint64_t>(taken);
    }
  }
};

// Until for a whole second none of them could send anything.
void send_until_all_stall(std::vector<Sender>& senders) {
  constexpr int kStalledFor = 1000;  // ms
  std::vector<pollfd> watched;
  for (const auto& sender : senders)
    watched.push_back({.fd = sender.peer.socket(), .events = POLLOUT, .revents = 0});
  while (::poll(watched.data(), watched.size(), kStalledFor) > 0)
    for (std::size_t i = 0; i < senders.size(); ++i)
      if (watched[i].revents != 0) senders[i].send_what_is_taken();
}

void expect_all_of(const Sender& sender, Peer& reader) {
  for (std::uint64_t at = 0; at < sender.sent;) {
    const auto expected = sender.stream.at(at).substr(0, sender.sent - at);
    const auto got = reader.read(expected.size());
    ASSERT_TRUE(same(got, expected)) << "from byte " << at;
    at += got.size();
  }
  EXPECT_EQ(reader.read_all(), "");
}

// What the stalled connections hold.
struct Stalled {
  std::int64_t taken = 0;  // bytes, from the senders
  HeldMemory grown;
};

Stalled stall_and_then_read(Engine engine, Peer ConnectedPair::*from, Peer ConnectedPair::*to) {
  Ambassador ambassador(engine);
  const auto connections = number_of_connections();
  auto pairs = ambassador.connect(static_cast<std::size_t>(connections));
  std::vector<Sender> senders;
  for (std::size_t i = 0; i < pairs.size(); ++i)
    senders.push_back({.peer = pairs[i].*from, .stream = Stream(i)});
  const auto before = ambassador.held();
  send_until_all_stall(senders);

  Stalled stalled{.grown = ambassador.held() - before};
  for (const auto& sender : senders) stalled.taken += static_cast<std::int64_t>(sender.sent);
  ambassador.report("taken from the sender", stalled.taken, connections);
  ambassador.report("accounted by TCP", stalled.grown.tcp, connections);
  ambassador.report("less available", -stalled.grown.available, connections);
  ambassador.report("user space", stalled.grown.user, connections);
  EXPECT_LE(stalled.grown.user, connections * most_in_user_space(engine));
  EXPECT_LE(stalled.grown.pipes, engine == Engine::kCopy ? 0 : 2 * connections);

  for (std::size_t i = 0; i < pairs.size(); ++i) {
    SCOPED_TRACE(i);
    senders[i].peer.finish();
    expect_all_of(senders[i], pairs[i].*to);
  }
  pairs.clear();
  ambassador.expect_rest();
  EXPECT_TRUE(eventually([&] { return (ambassador.held() - before).tcp < stalled.grown.tcp / 4; }));
  return stalled;
}

}  // namespace

class StalledReaders : public ::testing::TestWithParam<Engine> {
 protected:
  // With buffers that leave room for 200 connections in what the kernel grants all TCP of the
  // machine. Above its limit it drops what it had promised room for, and then connections wait for
  // each other's timers, whoever moves the bytes.
  static void SetUpTestSuite() {
    pressure = tcp_memory_pressure();
    enter_own_network({{"tcp_wmem", "4096 16384 524288"}, {"tcp_rmem", "4096 131072 786432"}});
  }

  // What a socket may hold is settled by the kernel's own tuning, which the way that bytes are read
  // and written takes part in. So copying is the yardstick, besides the kernel's limits.
  static void expect_no_more_than_copying(Peer ConnectedPair::*from, Peer ConnectedPair::*to) {
    const auto copying = stall_and_then_read(Engine::kCopy, from, to);
    const auto engine = stall_and_then_read(GetParam(), from, to);
    const auto connections = number_of_connections();
    const auto apart = connections * kApart;
    EXPECT_LE(engine.taken, copying.taken + copying.taken / 2 + apart);
    EXPECT_LE(engine.grown.tcp, copying.grown.tcp + copying.grown.tcp / 2 + apart);
    for (const auto& each : {copying, engine})
      EXPECT_LE(each.grown.tcp, connections * most_in_sockets());
  }
};

INSTANTIATE_TEST_SUITE_P(EveryEngine, StalledReaders,
                         ::testing::Values(Engine::kSockmap, Engine::kSplice), engine_name);

TEST_P(StalledReaders, AtTheBackendHoldBoundedMemoryAndGetEveryByteInTheEnd) {
  expect_no_more_than_copying(&ConnectedPair::client, &ConnectedPair::backend);
}

TEST_P(StalledReaders, AtTheClientHoldBoundedMemoryAndGetEveryByteInTheEnd) {
  expect_no_more_than_copying(&ConnectedPair::backend, &ConnectedPair::client);
}

}  // namespace ambbpf::test
