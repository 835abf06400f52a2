// SPDX-License-Identifier: Apache-2.0
// Connections that do everything at random: sizes, pauses, buffers, who ends first.
#include <random>
#include <thread>
#include <vector>

#include "tests/conformance/relay_promises.h"

namespace ambbpf::test {
namespace {

// Mostly small, sometimes empty, now and then large.
std::size_t random_size(std::minstd_rand& random) {
  const auto kind = random() % 10;
  if (kind == 0) return 0;
  if (kind < 6) return random() % (8 * kKiB);
  return random() % (kind < 9 ? 300 * kKiB : 3 * kMiB);
}

// All that either peer does follows from the connection's seed, which the client tells first.
struct Script {
  explicit Script(unsigned its_seed) : seed(its_seed), random(its_seed) {
    opening = "seed" + std::to_string(100000 + seed);
    upload = bytes_from_seed(random(), random_size(random));
    download = bytes_from_seed(random(), random_size(random));
    const auto who = random() % 4;
    client_listens_first = who == 0;
    backend_listens_first = who == 1;
  }

  static constexpr std::size_t kOpeningSize = 10;
  static unsigned seed_in(const std::string& opening) {
    return static_cast<unsigned>(std::stoul(opening.substr(4)) - 100000);
  }

  unsigned seed;
  std::minstd_rand random;
  std::string opening;
  std::string upload;
  std::string download;
  bool client_listens_first = false;
  bool backend_listens_first = false;
};

void pause_now_and_then(std::minstd_rand& random) {
  if (random() % 8 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
}

void send_restlessly(Peer& peer, std::string_view bytes, std::minstd_rand random) {
  while (!bytes.empty()) {
    const auto chunk = std::min<std::size_t>(bytes.size(), 1 + random() % (100 * kKiB));
    peer.send(bytes.substr(0, chunk));
    bytes.remove_prefix(chunk);
    pause_now_and_then(random);
  }
  peer.finish();
}

std::string read_restlessly(Peer& peer, std::minstd_rand random) {
  std::string bytes;
  for (;;) {
    const auto more = peer.read_some(1 + random() % (200 * kKiB));
    if (more.empty()) return bytes;
    bytes += more;
    pause_now_and_then(random);
  }
}

void talk(Peer& peer, const Script& script, std::string_view own, std::string_view others,
          bool listens_first) {
  SCOPED_TRACE("seed " + std::to_string(script.seed));
  const auto say = [&] { send_restlessly(peer, own, script.random); };
  std::future<void> saying;
  if (!listens_first) saying = in_background(say);
  EXPECT_TRUE(same(read_restlessly(peer, script.random), others));
  if (listens_first)
    say();
  else
    saying.get();
}

void play_client(const tcp::endpoint& proxy, unsigned seed) {
  const Script script(seed);
  const Buffers small{.receive = 4 * kKiB, .send = 4 * kKiB};
  Peer peer = Peer::connect_to(proxy, seed % 3 == 0 ? small : Buffers{});
  peer.send(script.opening);
  talk(peer, script, script.upload, script.download, script.client_listens_first);
}

void play_backend(Peer peer) {
  const Script script(Script::seed_in(peer.read(Script::kOpeningSize)));
  talk(peer, script, script.download, script.upload, script.backend_listens_first);
}

}  // namespace

TEST_P(RelayPromises, KeepsEveryByteOfRandomConnections) {
  constexpr unsigned kPairs = 8;
  constexpr unsigned kConnectionsEach = 25;
  static std::atomic<unsigned> next_seed{1};  // others with --gtest_repeat
  std::vector<std::future<void>> playing;
  for (unsigned pair = 0; pair < kPairs; ++pair) {
    playing.push_back(in_background([&] {
      for (unsigned i = 0; i < kConnectionsEach; ++i) play_backend(listener->accept());
    }));
    playing.push_back(in_background([&] {
      for (unsigned i = 0; i < kConnectionsEach; ++i) play_client(proxy->address(), next_seed++);
    }));
  }
  for (auto& player : playing) player.get();
  EXPECT_EQ(proxy->counts().resets, 0U);
}

}  // namespace ambbpf::test
