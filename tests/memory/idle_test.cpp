// SPDX-License-Identifier: Apache-2.0
// Connections that sit idle, thousands at once: user space holds next to nothing for them.
#include <sys/resource.h>

#include <algorithm>
#include <memory>

#include "tests/memory/ambassador.h"

namespace ambbpf::test {
namespace {

constexpr std::int64_t kConnections = 8000;

// The Connection itself, its place in a list, its callback and what malloc adds. Any buffer would
// show.
constexpr std::int64_t kMostEach = 1024;
// The two threads' buffers for connections that enter the sockmap (PumpTools::large_buffer).
constexpr std::int64_t kSharedByAll = 2 * (kMiB + 256 * kKiB);

// This process holds both peers of every connection, and the ambassador as many sockets again.
bool may_open(rlim_t descriptors) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, descriptors);
  return limit.rlim_cur <= limit.rlim_max && ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

}  // namespace

class IdleConnections : public ::testing::TestWithParam<Engine> {
 protected:
  void SetUp() override {
    if (!may_open(2 * kConnections + 500)) GTEST_SKIP() << "too few descriptors: see ulimit -Hn";
    ambassador = std::make_unique<Ambassador>(GetParam());
  }

  std::vector<ConnectedPair> connect_and_wait_until_idle() {
    auto pairs = ambassador->connect(kConnections);
    for (auto& pair : pairs) exchange(pair);
    const auto parked = GetParam() == Engine::kSockmap ? std::uint64_t{2 * kConnections} : 0;
    EXPECT_TRUE(
        eventually([&] { return ambassador->count_of("directions_in_kernel_now") == parked; }));
    return pairs;
  }

  std::unique_ptr<Ambassador> ambassador;
};

INSTANTIATE_TEST_SUITE_P(EveryEngine, IdleConnections,
                         ::testing::Values(Engine::kSockmap, Engine::kSplice, Engine::kCopy),
                         engine_name);

TEST_P(IdleConnections, HoldNoBufferInUserSpaceAndGiveBackWhatTheyHold) {
  auto pairs = connect_and_wait_until_idle();
  const auto first = ambassador->held() - ambassador->at_rest();
  ambassador->report("user space", first.user, kConnections);
  // The rest is for all four sockets, and other processes show in it: no bound.
  ambassador->report("kernel objects, peers' sockets too", first.slab, kConnections);
  ambassador->report("less available, peers' sockets too", -first.available, kConnections);
  EXPECT_LE(first.user, kMostEach * kConnections + kSharedByAll);
  EXPECT_EQ(first.pipes, 0);
  for (auto& pair : pairs) exchange(pair);
  pairs.clear();
  ambassador->expect_rest();

  // The allocator keeps what was freed; what counts is that it is there for the next ones.
  pairs = connect_and_wait_until_idle();
  const auto second = ambassador->held() - ambassador->at_rest();
  ambassador->report("user space, the second time", second.user, kConnections);
  // A thread's buffer is there once a connection was put into the sockmap while bytes came in.
  EXPECT_LE(second.user, first.user + first.user / 4 + kSharedByAll);
  pairs.clear();
  ambassador->expect_rest();
}

}  // namespace ambbpf::test
