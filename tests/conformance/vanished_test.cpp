// SPDX-License-Identifier: Apache-2.0
// A peer whose machine has vanished says nothing, not even that it ends. One that merely takes
// nothing, or says nothing, is another matter.
#include <linux/capability.h>
#include <sys/socket.h>

#include <thread>

#include "tests/conformance/relay_promises.h"
#include "tests/support/blackout.h"
#include "tests/support/without_capability.h"

namespace ambbpf::test {

using namespace std::chrono_literals;

namespace {

constexpr auto kLongestSilence = 2s;

void set_receive_buffer(const Peer& peer, int size) {
  ::setsockopt(peer.socket(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

bool reuses_address(int socket) {
  int reuses = 0;
  socklen_t size = sizeof reuses;
  ::getsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &reuses, &size);
  return reuses != 0;
}

std::vector<EngineUnderTest> engines_without_privilege() {
  auto engines = every_engine();
  std::erase_if(engines,
                [](const auto& engine) { return engine.relay.engine == Engine::kSockmap; });
  return engines;
}

}  // namespace

// Connections through one proxy, in half of which the client vanishes, in the others the backend.
class VanishedPeers : public RelayPromises {
 protected:
  struct Pair {
    Peer vanishing;
    Peer other;
  };

  Pair start_pair(bool client_vanishes) {
    start();
    client.send("question");
    EXPECT_EQ(backend.read(8), "question");
    backend.send("answer");
    EXPECT_EQ(client.read(6), "answer");
    return client_vanishes ? Pair{std::move(client), std::move(backend)}
                           : Pair{std::move(backend), std::move(client)};
  }

  std::vector<Pair> start_both() {
    std::vector<Pair> pairs;
    for (const bool client_vanishes : {true, false}) pairs.push_back(start_pair(client_vanishes));
    let_the_kernel_take_over(pairs.size());
    return pairs;
  }

  void cut(const Peer& peer) {
    cut_off(peer.socket());
    cut_off(proxys_socket_to(peer).get());
  }

  void mend(const Peer& peer) {
    join_again(peer.socket());
    join_again(proxys_socket_to(peer).get());
  }

  void expect_all_ended(std::vector<Pair>& pairs) {
    for (auto& [vanished, other] : pairs) {
      other.wait_until_broken();
      EXPECT_EQ(other.read_until_end().error, std::errc::connection_reset);
      vanished.reset();  // or its kernel would try for long to say goodbye
    }
    EXPECT_TRUE(proxy->becomes_idle());
    EXPECT_EQ(proxy->counts().vanished, pairs.size());
  }
};

INSTANTIATE_TEST_SUITE_P(EveryEngine, VanishedPeers, ::testing::ValuesIn(every_engine()),
                         name_of_engine);

// The proxy cannot ask them itself.
class VanishedPeersWithoutPrivilege : public VanishedPeers {
 protected:
  void serve_without_privilege() {
    const WithoutCapability no_net_admin(CAP_NET_ADMIN);
    serve_with_keepalive(kLongestSilence);
  }
};

INSTANTIATE_TEST_SUITE_P(EveryEngine, VanishedPeersWithoutPrivilege,
                         ::testing::ValuesIn(engines_without_privilege()), name_of_engine);

TEST_P(VanishedPeers, EndAnIdleConnection) {
  serve_with_keepalive(kLongestSilence);
  auto pairs = start_both();
  for (const auto& pair : pairs) cut(pair.vanishing);
  expect_all_ended(pairs);
}

TEST_P(VanishedPeers, EndAConnectionWithBytesUnderWayToThem) {
  serve_with_keepalive(kLongestSilence);
  auto pairs = start_both();
  for (const auto& pair : pairs) cut(pair.vanishing);
  std::vector<std::future<std::error_code>> sending;
  for (auto& pair : pairs)
    sending.push_back(in_background([&pair] { return pair.other.send_until_broken("more"); }));
  for (auto& broken : sending) EXPECT_EQ(broken.get(), std::errc::connection_reset);
  for (auto& pair : pairs) pair.vanishing.reset();
  EXPECT_TRUE(proxy->becomes_idle());
  EXPECT_EQ(proxy->counts().vanished, pairs.size());
}

TEST_P(VanishedPeersWithoutPrivilege, EndAnIdleConnection) {
  serve_without_privilege();
  auto pairs = start_both();
  for (const auto& pair : pairs) cut(pair.vanishing);
  expect_all_ended(pairs);
}

TEST_P(VanishedPeersWithoutPrivilege, EndAConnectionWithARequestUnderWayToThem) {
  serve_without_privilege();
  auto pairs = start_both();
  for (auto& pair : pairs) {
    cut(pair.vanishing);
    pair.other.send("another question");
  }
  expect_all_ended(pairs);
}

TEST_P(VanishedPeers, EndAConnectionWithOnlyTheEndUnderWayToThem) {
  serve_with_keepalive(kLongestSilence);
  auto pairs = start_both();
  for (const auto& pair : pairs) cut(pair.vanishing);
  for (auto& pair : pairs) pair.other.finish();
  expect_all_ended(pairs);
}

// By then the kernel asks only now and then whether they take more.
TEST_P(VanishedPeers, EndAConnectionOfWhichTheyHadTakenNothingForLong) {
  serve_with_keepalive(kLongestSilence);
  auto pairs = start_both();
  const auto bytes = bytes_from_seed(1, 32 * kMiB);
  for (auto& pair : pairs) pair.other.send_until_stalled(bytes);
  std::this_thread::sleep_for(kLongestSilence);
  for (const auto& pair : pairs) cut(pair.vanishing);
  expect_all_ended(pairs);
}

TEST_P(VanishedPeers, AreNotThoseThatTakeNothingOrSayNothing) {
  serve_with_keepalive(kLongestSilence);
  auto pairs = start_both();
  auto& [idle_client, idle_backend] = pairs[0];
  auto& [stalled_backend, stalled_client] = pairs[1];
  const auto bytes = bytes_from_seed(2, 32 * kMiB);
  const auto there = stalled_client.send_until_stalled(bytes);
  const auto back = stalled_backend.send_until_stalled(bytes);
  std::this_thread::sleep_for(3 * kLongestSilence);

  idle_client.send("still there?");
  EXPECT_EQ(idle_backend.read(12), "still there?");
  EXPECT_TRUE(reuses_address(proxys_socket_to(stalled_client).get()));
  stalled_client.finish();
  stalled_backend.finish();
  auto reading = in_background([&reader = stalled_backend] { return reader.read_all(); });
  EXPECT_TRUE(same(stalled_client.read_all(), std::string_view(bytes).substr(0, back)));
  EXPECT_TRUE(same(reading.get(), std::string_view(bytes).substr(0, there)));
  EXPECT_EQ(proxy->counts().vanished, 0U);
}

// A kernel short of memory drops what it had allowed to be sent, and answers that the window is
// closed after all, or, before Linux 6.6, not at all: it does answer what brings no bytes.
TEST_P(VanishedPeers, AreNotThoseWhoseMemoryIsFull) {
  serve_with_keepalive(kLongestSilence);
  auto pairs = start_both();
  const auto bytes = bytes_from_seed(4, 40 * kKiB);
  for (auto& [reader, writer] : pairs) {
    set_receive_buffer(reader, 1);
    writer.send(bytes);
  }
  std::this_thread::sleep_for(3 * kLongestSilence);
  for (auto& [reader, writer] : pairs) {
    set_receive_buffer(reader, 64 * kKiB);
    EXPECT_TRUE(same(reader.read(bytes.size()), bytes));
  }
  EXPECT_EQ(proxy->counts().vanished, 0U);
}

TEST_P(VanishedPeers, AreNotThoseThatComeBackInTime) {
  serve_with_keepalive(6s);
  auto pairs = start_both();
  for (const auto& pair : pairs) cut(pair.vanishing);
  const auto bytes = bytes_from_seed(3, 100 * kKiB);
  for (auto& pair : pairs) {
    pair.vanishing.send(bytes);
    pair.other.send(bytes);
  }
  std::this_thread::sleep_for(2s);
  for (const auto& pair : pairs) mend(pair.vanishing);
  for (auto& pair : pairs) {
    EXPECT_TRUE(same(pair.vanishing.read(bytes.size()), bytes));
    EXPECT_TRUE(same(pair.other.read(bytes.size()), bytes));
  }
  EXPECT_EQ(proxy->counts().vanished, 0U);
}

}  // namespace ambbpf::test
