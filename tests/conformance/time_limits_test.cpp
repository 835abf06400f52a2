// SPDX-License-Identifier: Apache-2.0
// Connections that are reset when their time is over, and those that are not, however little they
// have to say.
#include <thread>

#include "tests/conformance/relay_promises.h"

namespace ambbpf::test {

using namespace std::chrono_literals;

namespace {

constexpr auto kLimit = 800ms;
// Far from the limit: a machine that is busy may add to it. So often it is more than the limit.
constexpr auto kSlow = kLimit / 4;
constexpr int kOften = 8;
// A tenth for the looks, and time for a machine that is busy.
constexpr auto kAtMost = kLimit + kLimit / 10 + 2s;

}  // namespace

class TimeLimited : public RelayPromises {
 protected:
  // What both said before a connection was given to the kernel program counts as well.
  void talk() {
    client.send("question");
    EXPECT_EQ(backend.read(8), "question");
    backend.send("answer");
    EXPECT_EQ(client.read(6), "answer");
    said_at_ = Clock::now();
    let_the_kernel_take_over();
  }

  void serve_within(const TimeLimits& limits) {
    serve_with_time_limits(limits);
    if (!proxy) return;
    start();
    said_at_ = Clock::now();
  }

  // Of those in force at most one counts.
  void expect_reset_in_time() {
    EXPECT_EQ(client.read_until_end().error, std::errc::connection_reset);
    const auto after = Clock::now() - said_at_;
    EXPECT_GE(after, kLimit - 20ms);  // what was said was seen a little earlier
    EXPECT_LT(after, kAtMost);
    backend.wait_until_broken();
    EXPECT_TRUE(proxy->becomes_idle());
  }

  std::uint64_t timed_out() const {
    const auto& service = proxy->service();
    return service.idle_timeouts + service.half_closed_timeouts + service.lifetimes_over +
           service.first_byte_timeouts;
  }

  Clock::time_point said_at_;
};

INSTANTIATE_TEST_SUITE_P(EveryEngine, TimeLimited, ::testing::ValuesIn(every_engine()),
                         name_of_engine);

TEST_P(TimeLimited, ResetsAConnectionThatIsIdle) {
  serve_within({.idle = kLimit});
  talk();
  expect_reset_in_time();
  EXPECT_EQ(proxy->service().idle_timeouts, 1U);
  EXPECT_EQ(timed_out(), 1U);
}

TEST_P(TimeLimited, ResetsAConnectionOnWhichNothingWasEverSaid) {
  serve_within({.idle = kLimit});
  expect_reset_in_time();
  EXPECT_EQ(proxy->service().idle_timeouts, 1U);
}

TEST_P(TimeLimited, KeepsAConnectionOnWhichAByteMovesNowAndThen) {
  serve_within({.idle = kLimit});
  talk();
  for (int i = 0; i < kOften; ++i) {
    std::this_thread::sleep_for(kSlow);
    client.send("a");
    EXPECT_EQ(backend.read(1), "a");
  }
  for (int i = 0; i < kOften; ++i) {
    std::this_thread::sleep_for(kSlow);
    backend.send("b");
    EXPECT_EQ(client.read(1), "b");
  }
  if (promotes_at_once()) expect_bytes_moved_by_the_kernel();
  said_at_ = Clock::now();
  expect_reset_in_time();
  EXPECT_EQ(proxy->service().idle_timeouts, 1U);
}

// The proxy has nothing more to do: all is in the send queue of its socket.
TEST_P(TimeLimited, KeepsAConnectionWhoseKernelStillDelivers) {
  serve_with_time_limits({.idle = kLimit});
  if (!proxy) return;
  start({.receive = 8 * kKiB});
  const auto sent = bytes_from_seed(1, 512 * kKiB);
  backend.send(sent);
  std::string got;
  const auto begun = Clock::now();
  while (Clock::now() - begun < 3 * kLimit) {
    got += client.read_some(16 * kKiB);
    std::this_thread::sleep_for(kSlow / 2);
  }
  EXPECT_LT(got.size(), sent.size()) << "too fast to tell anything";
  got += client.read(sent.size() - got.size());
  EXPECT_TRUE(same(got, sent));
  EXPECT_EQ(timed_out(), 0U);
}

TEST_P(TimeLimited, ResetsAConnectionOfWhichOneTakesNothing) {
  serve_within({.idle = kLimit});
  client.send("question");
  EXPECT_EQ(backend.read(8), "question");
  let_the_kernel_take_over();
  EXPECT_EQ(backend.send_until_broken(bytes_from_seed(1, kMiB)), std::errc::connection_reset);
  EXPECT_TRUE(eventually([&] { return proxy->service().idle_timeouts == 1; }));
}

TEST_P(TimeLimited, ResetsAConnectionThatIsHalfClosedAndSilent) {
  serve_within({.half_closed = kLimit});
  talk();
  std::this_thread::sleep_for(kLimit);
  EXPECT_EQ(timed_out(), 0U) << "idle, but not half-closed";
  said_at_ = Clock::now();
  client.finish();
  EXPECT_EQ(backend.read_all(), "");
  expect_reset_in_time();
  EXPECT_EQ(proxy->service().half_closed_timeouts, 1U);
  EXPECT_EQ(timed_out(), 1U);
}

TEST_P(TimeLimited, KeepsADownloadGoingOnAfterTheClientHasHalfClosed) {
  serve_within({.half_closed = kLimit});
  talk();
  client.finish();
  EXPECT_EQ(backend.read_all(), "");
  for (int i = 0; i < kOften; ++i) {
    std::this_thread::sleep_for(kSlow);
    backend.send("b");
    EXPECT_EQ(client.read(1), "b");
  }
  backend.finish();
  EXPECT_EQ(client.read_all(), "");
  EXPECT_TRUE(proxy->becomes_idle());
  EXPECT_EQ(timed_out(), 0U);
}

TEST_P(TimeLimited, KeepsAnUploadGoingOnAfterTheBackendHasHalfClosed) {
  serve_within({.half_closed = kLimit});
  talk();
  backend.finish();
  EXPECT_EQ(client.read_all(), "");
  for (int i = 0; i < kOften; ++i) {
    std::this_thread::sleep_for(kSlow);
    client.send("a");
    EXPECT_EQ(backend.read(1), "a");
  }
  EXPECT_EQ(backend.read_until_end().error, std::errc::connection_reset);
  EXPECT_TRUE(proxy->becomes_idle());
  EXPECT_EQ(proxy->service().half_closed_timeouts, 1U);
}

TEST_P(TimeLimited, ResetsAConnectionAtTheEndOfItsLifeThoughItIsBusy) {
  serve_within({.lifetime = kLimit});
  auto both = in_background([&] {
    try {
      for (;;) {
        backend.send("b");
        std::this_thread::sleep_for(10ms);
      }
    } catch (const std::system_error&) {
      // It is over.
    }
  });
  EXPECT_EQ(client.read_until_end().error, std::errc::connection_reset);
  EXPECT_GE(Clock::now() - said_at_, kLimit - 20ms);
  EXPECT_LT(Clock::now() - said_at_, kAtMost);
  both.get();
  EXPECT_TRUE(proxy->becomes_idle());
  EXPECT_EQ(proxy->service().lifetimes_over, 1U);
  EXPECT_EQ(timed_out(), 1U);
}

TEST_P(TimeLimited, ResetsAConnectionWhoseClientSaysNothingAtFirst) {
  serve_within({.first_byte = kLimit});
  backend.send("welcome");
  EXPECT_EQ(client.read(7), "welcome");
  expect_reset_in_time();
  EXPECT_EQ(proxy->service().first_byte_timeouts, 1U);
  EXPECT_EQ(timed_out(), 1U);
}

TEST_P(TimeLimited, KeepsAConnectionWhoseClientHasSpokenOnce) {
  serve_within({.first_byte = kLimit});
  let_the_kernel_take_over();
  std::this_thread::sleep_for(kSlow);
  client.send("a");
  EXPECT_EQ(backend.read(1), "a");
  std::this_thread::sleep_for(kAtMost);
  backend.send("b");
  EXPECT_EQ(client.read(1), "b");
  EXPECT_EQ(timed_out(), 0U);
}

TEST_P(TimeLimited, ResetsManyAtOnceAndServesOthersMeanwhile) {
  constexpr std::size_t kMany = 200;
  serve_with_time_limits({.idle = kLimit});
  if (!proxy) return;
  std::vector<Peer> peers;
  for (std::size_t i = 0; i < kMany; ++i) {
    peers.push_back(connect());
    peers.push_back(listener->accept());
  }
  start();
  const auto deadline = Clock::now() + kTimeout;
  while (proxy->service().idle_timeouts < kMany && Clock::now() < deadline) {
    client.send("a");
    ASSERT_EQ(backend.read(1), "a");
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(proxy->service().idle_timeouts, kMany);
}

}  // namespace ambbpf::test
