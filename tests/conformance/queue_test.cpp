// SPDX-License-Identifier: Apache-2.0
// Connections for which there is no room wait in the queue of their service, and no endpoint ever
// has more than it may.
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/conformance/expect_service.h"
#include "tests/support/proxy_under_test.h"

namespace ambbpf::test {

using namespace std::chrono_literals;

namespace {

class Queueing : public ::testing::Test {
 protected:
  void start(const DialOptions& dial, std::size_t threads = 1) {
    auto started = ProxyUnderTest::start(
        {.relay = {.engine = Engine::kSplice, .promotion = {}}, .dial = dial, .threads = threads});
    ASSERT_TRUE(started) << started.error().message();
    proxy = std::move(*started);
    proxy->publish({listener.address()});
  }

  Peer connect() { return Peer::connect_to(proxy->address()); }
  Service& service() { return proxy->service(); }

  void expect_queued(std::uint64_t connections) {
    EXPECT_TRUE(eventually([&] { return service().queued_now == connections; }))
        << service().queued_now;
  }

  Listener listener{loopback_v4()};
  std::unique_ptr<ProxyUnderTest> proxy;
};

// A backend that knows how many connections it has: of those that it has accepted, those whose
// other end has not ended them. The proxy ends a connection before it lets the next one come.
class CountingBackend {
 public:
  explicit CountingBackend(Listener& listener)
      : serving_(in_background([this, &listener] { serve(listener); })) {}
  ~CountingBackend() { stop(); }
  CountingBackend(const CountingBackend&) = delete;
  CountingBackend& operator=(const CountingBackend&) = delete;

  // What it has counted is whole then.
  void stop() {
    stopping_ = true;
    serving_.wait();
  }
  std::size_t most() const { return most_; }
  std::size_t accepted() const { return accepted_; }

 private:
  static bool is_over(const Peer& peer) {
    pollfd asked{.fd = peer.socket(), .events = POLLRDHUP, .revents = 0};
    return ::poll(&asked, 1, 0) > 0;
  }

  void serve(Listener& listener) {
    std::vector<Peer> open;
    while (!stopping_) {
      std::erase_if(open, is_over);
      pollfd asked{.fd = listener.socket(), .events = POLLIN, .revents = 0};
      if (::poll(&asked, 1, 1) <= 0) continue;
      open.push_back(listener.accept());
      open.back().send("answer");
      ++accepted_;
      std::erase_if(open, is_over);
      most_ = std::max(most_.load(), open.size());
    }
  }

  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> most_{0};
  std::atomic<std::size_t> accepted_{0};
  std::future<void> serving_;
};

}  // namespace

TEST_F(Queueing, AConnectionForWhichNoEndpointHasRoomIsResetWithoutAQueue) {
  start({.most_per_endpoint = 1});
  Peer first = connect();
  Peer its_backend = listener.accept();
  EXPECT_EQ(connect().read_until_end().error, std::errc::connection_reset);
  EXPECT_EQ(service().endpoints_full, 1U);
  first.close();
  its_backend.close();
  ASSERT_TRUE(proxy->becomes_idle());
  Peer next = connect();
  expect_service(listener, next);
}

TEST_F(Queueing, AnEndpointThatIsFullIsPassedOver) {
  Listener other(loopback_v4());
  start({.most_per_endpoint = 1});
  proxy->publish({listener.address(), other.address()});
  Peer first = connect();
  Peer second = connect();
  const Peer one = listener.accept();
  const Peer another = other.accept();
  EXPECT_EQ(connect().read_until_end().error, std::errc::connection_reset);
}

TEST_F(Queueing, ConnectionsWaitForAnEndpointInTheOrderInWhichTheyCame) {
  start({.most_per_endpoint = 1, .queue = {.length = 10, .timeout = kTimeout}}, 2);
  Peer first = connect();
  Peer backend = listener.accept();
  std::vector<Peer> waiting;
  for (std::uint64_t i = 0; i < 10; ++i) {
    waiting.push_back(connect());
    waiting.back().send(std::string(1, static_cast<char>('0' + i)));
    expect_queued(i + 1);
  }
  first.reset();
  for (std::size_t i = 0; i < 10; ++i) {
    backend = listener.accept();
    EXPECT_EQ(backend.read(1), std::string(1, static_cast<char>('0' + i)));
    waiting[i].reset();
  }
  expect_queued(0);
  EXPECT_EQ(service().queued, 10U);
}

TEST_F(Queueing, ConnectionsWaitForTheirServiceInTheOrderInWhichTheyCame) {
  start({.queue = {.length = 5, .timeout = kTimeout}}, 2);
  service().limit_connections(1);
  Peer first = connect();
  Peer backend = listener.accept();
  std::vector<Peer> waiting;
  for (std::uint64_t i = 0; i < 5; ++i) {
    waiting.push_back(connect());
    waiting.back().send(std::string(1, static_cast<char>('0' + i)));
    expect_queued(i + 1);
  }
  EXPECT_EQ(connect().read_until_end().error, std::errc::connection_reset);
  EXPECT_EQ(service().queue_full, 1U);
  first.reset();
  for (std::size_t i = 0; i < 5; ++i) {
    backend = listener.accept();
    EXPECT_EQ(backend.read(1), std::string(1, static_cast<char>('0' + i)));
    EXPECT_EQ(service().connections_now, 1U);
    waiting[i].reset();
  }
  EXPECT_EQ(service().too_many, 0U);
}

TEST_F(Queueing, AConnectionThatWaitsInVainIsReset) {
  start({.most_per_endpoint = 1, .queue = {.length = 1, .timeout = 300ms}});
  Peer first = connect();
  Peer its_backend = listener.accept();
  const auto begun = Clock::now();
  Peer late = connect();
  expect_queued(1);
  EXPECT_EQ(connect().read_until_end().error, std::errc::connection_reset);
  EXPECT_EQ(service().queue_full, 1U);
  EXPECT_EQ(late.read_until_end().error, std::errc::connection_reset);
  EXPECT_GE(Clock::now() - begun, 300ms);
  EXPECT_EQ(service().queue_timeouts, 1U);
  expect_queued(0);
  first.send("a");
  EXPECT_EQ(its_backend.read(1), "a");
}

TEST_F(Queueing, AConnectionThatWaitsInVainForItsServiceIsReset) {
  start({.queue = {.length = 1, .timeout = 300ms}});
  service().limit_connections(1);
  Peer first = connect();
  Peer its_backend = listener.accept();
  EXPECT_EQ(connect().read_until_end().error, std::errc::connection_reset);
  EXPECT_EQ(service().queue_timeouts, 1U);
}

TEST_F(Queueing, AClientThatLeavesMakesRoomForAnother) {
  start({.most_per_endpoint = 1, .queue = {.length = 2, .timeout = kTimeout}});
  Peer first = connect();
  Peer its_backend = listener.accept();
  Peer reset = connect();
  Peer closed = connect();
  expect_queued(2);
  reset.reset();
  closed.close();
  expect_queued(0);
  Peer asks = connect();
  asks.send("question");
  asks.finish();
  expect_queued(1);
  first.reset();
  Peer backend = listener.accept();
  EXPECT_EQ(backend.read_all(), "question") << "it has ended its direction, and waits";
  backend.send_and_finish("answer");
  EXPECT_EQ(asks.read_all(), "answer");
}

TEST_F(Queueing, ANewEndpointServesThoseWhoWait) {
  Listener other(loopback_v4());
  start({.most_per_endpoint = 1, .queue = {.length = 1, .timeout = kTimeout}});
  Peer first = connect();
  Peer its_backend = listener.accept();
  Peer second = connect();
  expect_queued(1);
  proxy->publish({listener.address(), other.address()});
  expect_service(other, second);
}

TEST_F(Queueing, WhatIsQueuedIsResetWhenTheProxyIsToldTo) {
  start({.most_per_endpoint = 1, .queue = {.length = 2, .timeout = kTimeout}});
  Peer first = connect();
  Peer its_backend = listener.accept();
  Peer second = connect();
  expect_queued(1);
  proxy->reset_all();
  EXPECT_EQ(second.read_until_end().error, std::errc::connection_reset);
  expect_queued(0);
}

TEST_F(Queueing, NoEndpointHasMoreThanItMayWithManyThreadsAndQuickClients) {
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kEach = 333;
  constexpr std::size_t kMostOpen = 3;
  Listener other(loopback_v4());
  start({.most_per_endpoint = kMostOpen, .queue = {.length = 1000, .timeout = kTimeout}}, kThreads);
  proxy->publish({listener.address(), other.address()});
  CountingBackend one(listener);
  CountingBackend another(other);
  std::vector<std::future<void>> clients;
  for (std::size_t i = 0; i < 4 * kMostOpen; ++i)
    clients.push_back(in_background([this] {
      for (std::size_t n = 0; n < kEach; ++n) {
        Peer client = connect();
        EXPECT_EQ(client.read(6), "answer");
        client.reset();
      }
    }));
  for (auto& client : clients) client.get();
  EXPECT_TRUE(proxy->becomes_idle());
  one.stop();
  another.stop();
  EXPECT_LE(one.most(), kMostOpen);
  EXPECT_LE(another.most(), kMostOpen);
  EXPECT_EQ(std::max(one.most(), another.most()), kMostOpen) << "there were never enough";
  EXPECT_EQ(one.accepted() + another.accepted(), 4 * kMostOpen * kEach);
  EXPECT_GT(service().queued, 0U);
  for (const auto& listed : *service().in_force()) EXPECT_EQ(listed.backend->places_taken(), 0U);
}

TEST_F(Queueing, NoServiceHasMoreThanItMayWithManyThreadsAndQuickClients) {
  constexpr std::size_t kMostOpen = 5;
  start({.queue = {.length = 1000, .timeout = kTimeout}}, 4);
  service().limit_connections(kMostOpen);
  CountingBackend backend(listener);
  std::vector<std::future<void>> clients;
  for (std::size_t i = 0; i < 16; ++i)
    clients.push_back(in_background([this] {
      for (int n = 0; n < 200; ++n) {
        Peer client = connect();
        EXPECT_EQ(client.read(6), "answer");
        client.reset();
      }
    }));
  for (auto& client : clients) client.get();
  EXPECT_TRUE(proxy->becomes_idle());
  backend.stop();
  EXPECT_LE(backend.most(), kMostOpen);
  EXPECT_EQ(backend.accepted(), 16U * 200U);
}

}  // namespace ambbpf::test
