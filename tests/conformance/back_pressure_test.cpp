// SPDX-License-Identifier: Apache-2.0
// A slow reader slows its sender down, costs bounded memory, and loses nothing.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <thread>

#include "tests/conformance/relay_promises.h"

namespace ambbpf::test {

using namespace std::chrono_literals;

namespace {

// Starts with small reads and long pauses, and gets faster.
std::string read_slowly_at_first(Peer& reader) {
  std::string bytes;
  for (int i = 0; i < 100; ++i) {
    std::this_thread::sleep_for(2ms);
    bytes += reader.read_some(500);
  }
  for (int i = 0; i < 100; ++i) {
    std::this_thread::sleep_for(3ms);
    bytes += reader.read_some(30 * kKiB);
  }
  return bytes + reader.read_all();
}

}  // namespace

TEST_P(RelayPromises, DeliversEverythingToASlowReaderAndThenTheEnd) {
  const auto bytes = bytes_from_seed(1, 64 * kMiB);
  const Buffers small{.receive = 16 * kKiB};
  for (const bool client_sends : {true, false}) {
    SCOPED_TRACE(client_sends);
    start(client_sends ? Buffers{} : small, client_sends ? small : Buffers{});
    let_the_kernel_take_over();
    Peer& sender = client_sends ? client : backend;
    Peer& reader = client_sends ? backend : client;
    auto sending = in_background([&] { sender.send(bytes), sender.close(); });
    EXPECT_TRUE(same(read_slowly_at_first(reader), bytes));
    sending.get();
  }
}

TEST_P(RelayPromises, StallsTheSenderToAReaderThatNeverReadsAndKeepsEveryByteForIt) {
  const auto bytes = bytes_from_seed(2, kMostHeld);
  for (const bool client_sends : {true, false}) {
    SCOPED_TRACE(client_sends);
    start();
    let_the_kernel_take_over();
    Peer& sender = client_sends ? client : backend;
    Peer& reader = client_sends ? backend : client;
    const auto taken = sender.send_until_stalled(bytes);
    EXPECT_LT(taken, kMostHeld);
    sender.finish();
    std::this_thread::sleep_for(200ms);
    EXPECT_TRUE(same(reader.read_all(), std::string_view(bytes).substr(0, taken)));
  }
}

TEST_P(RelayPromises, KeepsOneDirectionGoingWhileTheOtherIsStalled) {
  start();
  let_the_kernel_take_over();
  const auto stuck = bytes_from_seed(3, kMostHeld);
  const auto taken = client.send_until_stalled(stuck);
  const auto download = bytes_from_seed(4, 4 * kMiB);
  auto downloading = in_background([&] { backend.send(download), backend.finish(); });
  EXPECT_TRUE(same(client.read_all(), download));
  client.finish();
  EXPECT_TRUE(same(backend.read_all(), std::string_view(stuck).substr(0, taken)));
}

TEST_P(RelayPromises, FollowsAReaderThatStallsAndHurriesInTurns) {
  const Buffers small{.receive = 32 * kKiB};
  start({}, small);
  constexpr std::size_t kRounds = 8;
  for (std::size_t round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(round);
    let_the_kernel_take_over();
    const auto bytes = bytes_from_seed(round, 8 * kMiB);
    auto sending = in_background([&] { client.send(bytes); });
    std::this_thread::sleep_for(40ms);
    ASSERT_TRUE(same(backend.read(bytes.size()), bytes));
    sending.get();
    backend.send("got it");
    EXPECT_EQ(client.read(6), "got it");
  }
  if (!promotes_at_once()) return;  // it is spliced
  expect_bytes_moved_by_the_kernel();
  const auto counts = proxy->counts();
  EXPECT_GE(counts.taken_back, kRounds);
  EXPECT_GE(counts.handed_over, kRounds);
}

class KernelPath : public RelayPromises {};

INSTANTIATE_TEST_SUITE_P(EveryEngine, KernelPath, ::testing::Values(sockmap_at_once()),
                         name_of_engine);

// A socket's worker in the kernel takes what was redirected to it and what was passed on it in the
// order in which they came. Here the client's last bytes wait behind the backend's, of which its
// socket takes very few, for longer than an end of stream is doubted.
TEST_P(KernelPath, KeepsBytesThatWaitForLongBehindThoseOfTheOtherDirection) {
  start({.receive = 32 * kKiB}, {.receive = 32 * kKiB});
  let_the_kernel_take_over();
  const int unsent = 1;
  ::setsockopt(proxys_socket_to(client).get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
               sizeof unsent);
  const auto bytes = bytes_from_seed(6, kMostHeld);
  const auto back = backend.send_until_stalled(bytes);
  const auto there = client.send_until_stalled(bytes);
  client.finish();
  backend.finish();
  auto reading = in_background([this] { return backend.read_all(); });
  std::this_thread::sleep_for(6s);
  EXPECT_TRUE(same(client.read_all(), std::string_view(bytes).substr(0, back)));
  EXPECT_TRUE(same(reading.get(), std::string_view(bytes).substr(0, there)));
}

// Nor does what is passed on the backend's socket wait behind a segment of the client's, redirected
// though only a part of it fits into the send queue.
TEST_P(KernelPath, DeliversAllToOneSideWhileTheOtherStandsStill) {
  start();
  let_the_kernel_take_over();
  const auto bytes = bytes_from_seed(7, kMostHeld);
  const auto there = client.send_until_stalled(bytes);
  const auto back = backend.send_until_stalled(bytes);
  EXPECT_TRUE(same(client.read(back), std::string_view(bytes).substr(0, back)));
  EXPECT_TRUE(same(backend.read(there), std::string_view(bytes).substr(0, there)));
}

}  // namespace ambbpf::test
