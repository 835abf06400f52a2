// SPDX-License-Identifier: Apache-2.0
// Many connections, one after the other and beside each other.
#include <random>
#include <vector>

#include "tests/conformance/relay_promises.h"

namespace ambbpf::test {
namespace {

constexpr std::size_t kQuestionSize = 120;

// What the backend answers depends on the question, so that no answer fits two questions.
std::string question(std::uint64_t seed) { return bytes_from_seed(seed, kQuestionSize); }
std::string answer_to(const std::string& question) {
  const auto seed = std::hash<std::string>{}(question);
  return bytes_from_seed(seed, seed % (40 * kKiB));
}

using Work = std::function<void(std::size_t part)>;

std::vector<std::future<void>> in_parts(std::size_t parts, const Work& work) {
  std::vector<std::future<void>> running;
  for (std::size_t part = 0; part < parts; ++part)
    running.push_back(in_background([work, part] { work(part); }));
  return running;
}

void join(std::vector<std::future<void>>& running) {
  for (auto& part : running) part.get();
}

constexpr std::size_t kThreads = 4;
constexpr std::size_t kConnectionsEach = 250;

}  // namespace

TEST_P(RelayPromises, ServesAThousandShortConnectionsThatTheClientCloses) {
  auto backends = in_parts(kThreads, [&](std::size_t) {
    for (std::size_t i = 0; i < kConnectionsEach; ++i) {
      Peer peer = listener->accept();
      peer.send(answer_to(peer.read(kQuestionSize)));
      EXPECT_EQ(peer.read_all(), "");
    }
  });
  auto clients = in_parts(kThreads, [&](std::size_t part) {
    for (std::size_t i = 0; i < kConnectionsEach; ++i) {
      Peer peer = connect();
      const auto asked = question(part * kConnectionsEach + i);
      const auto expected = answer_to(asked);
      peer.send(asked);
      EXPECT_TRUE(same(peer.read(expected.size()), expected));
    }
  });
  join(clients);
  join(backends);
  EXPECT_EQ(proxy->counts().connections_total, kThreads * kConnectionsEach);
}

TEST_P(RelayPromises, ServesAThousandShortConnectionsThatTheBackendClosesAfterItsAnswer) {
  auto backends = in_parts(kThreads, [&](std::size_t) {
    for (std::size_t i = 0; i < kConnectionsEach; ++i) {
      Peer peer = listener->accept();
      peer.send(answer_to(peer.read(kQuestionSize)));
    }
  });
  auto clients = in_parts(kThreads, [&](std::size_t part) {
    for (std::size_t i = 0; i < kConnectionsEach; ++i) {
      Peer peer = connect();
      const auto asked = question(part * kConnectionsEach + i);
      peer.send(asked);
      EXPECT_TRUE(same(peer.read_all(), answer_to(asked)));
    }
  });
  join(clients);
  join(backends);
  EXPECT_EQ(proxy->counts().connections_total, kThreads * kConnectionsEach);
  EXPECT_EQ(proxy->counts().resets, 0U);
}

TEST_P(RelayPromises, CarriesManyLongConversationsBesideEachOther) {
  constexpr std::size_t kConversations = 50;
  constexpr std::uint64_t kRounds = 200;
  auto backends = in_parts(kConversations, [&](std::size_t) {
    Peer peer = listener->accept();
    echo(peer);
  });
  auto clients = in_parts(kConversations, [&](std::size_t part) {
    Peer peer = connect();
    std::minstd_rand random(static_cast<unsigned>(part + 1));
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const auto size = 1 + random() % (round % 10 == 0 ? 32 * kKiB : kKiB);
      const auto asked = bytes_from_seed(part << 32U | round, size);
      peer.send(asked);
      ASSERT_TRUE(same(peer.read(size), asked)) << "conversation " << part << ", round " << round;
    }
    peer.finish();
    EXPECT_EQ(peer.read_all(), "");
  });
  join(clients);
  join(backends);
  if (promotes_at_once()) expect_bytes_moved_by_the_kernel();
}

// Two threads swap one pair of five. One thread dials in order; the kernel itself may swap a pair
// when the thread moves to another processor in between (seen once, on Linux 6.1 in an emulator).
TEST_P(RelayPromises, OneThreadPassesConnectionsOnInTheOrderInWhichTheyCame) {
  constexpr int kPairs = 200;
  constexpr int kByTheKernel = kPairs / 20;
  serve_with_one_thread();
  int swapped = 0;
  for (int pair = 0; pair < kPairs; ++pair) {
    Peer first = connect();
    Peer second = connect();
    first.send("1");
    second.send("2");
    Peer called = listener->accept();
    Peer called_next = listener->accept();
    const auto order = called.read(1) + called_next.read(1);
    ASSERT_TRUE(order == "12" || order == "21") << order;
    swapped += order == "21";
  }
  EXPECT_LE(swapped, kByTheKernel);
}

TEST_P(RelayPromises, ServesMoreConnectionsThanTheKernelPathHasRoomFor) {
  serve_with_one_thread();  // each thread has slots of its own
  constexpr std::size_t kCrowd = kSlots / 2 + 20;
  std::vector<std::pair<Peer, Peer>> crowd;
  for (std::size_t i = 0; i < kCrowd; ++i) {
    Peer calling = connect();
    crowd.emplace_back(std::move(calling), listener->accept());
  }
  if (promotes_at_once()) {
    let_the_kernel_take_over(kSlots / 2);
    EXPECT_TRUE(eventually([&] {
      return proxy->counts().refused_by_kernel == kCrowd - kSlots / 2;
    })) << proxy->counts().refused_by_kernel;
  }
  for (auto& [calling, called] : crowd) {
    calling.send("question");
    EXPECT_EQ(called.read(8), "question");
    called.send_and_finish("answer");
    EXPECT_EQ(calling.read_all(), "answer");
    calling.finish();
    EXPECT_EQ(called.read_all(), "");
  }
}

}  // namespace ambbpf::test
