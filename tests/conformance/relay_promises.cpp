// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/relay_promises.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>

#include "tests/support/borrowed_socket.h"

namespace ambbpf::test {
namespace {

EngineUnderTest with_defaults(Engine engine) {
  return {name_of(engine), {.engine = engine, .promotion = {}, .slots = kSlots}};
}

std::size_t threads_asked_for() {
  const char* asked = std::getenv("AMBBPF_TEST_THREADS");
  return asked ? std::stoul(asked) : 1;
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace

EngineUnderTest sockmap_at_once() {
  const Promotion at_once{
      .turns = 0, .age = std::chrono::milliseconds(0), .only_where_faster = false};
  return {"sockmap_at_once", {.engine = Engine::kSockmap, .promotion = at_once, .slots = kSlots}};
}

std::vector<EngineUnderTest> every_engine() {
  return {sockmap_at_once(), with_defaults(Engine::kSockmap), with_defaults(Engine::kSplice),
          with_defaults(Engine::kCopy)};
}

INSTANTIATE_TEST_SUITE_P(EveryEngine, RelayPromises, ::testing::ValuesIn(every_engine()),
                         name_of_engine);

void RelayPromises::SetUp() {
  descriptors_before_ = open_descriptors();
  start_proxy(settings());
  if (!proxy) return;  // skipped
  listener = std::make_unique<Listener>(loopback_v4());
  proxy->publish({listener->address()});
}

void RelayPromises::TearDown() {
  client.close();
  backend.close();
  if (proxy) {
    EXPECT_TRUE(proxy->becomes_idle());
    const auto counts = proxy->counts();
    EXPECT_EQ(counts.connections_now, 0U);
    EXPECT_EQ(counts.in_map_now, 0U);
    EXPECT_EQ(counts.mismatches, expected_mismatches);
    EXPECT_EQ(counts.lost_events, 0U);
  }
  proxy.reset();
  listener.reset();
  EXPECT_EQ(open_descriptors(), descriptors_before_);
}

ProxySettings RelayPromises::settings() const {
  return {.relay = GetParam().relay, .dial = {}, .threads = threads_asked_for()};
}

void RelayPromises::start_proxy(const ProxySettings& wanted) {
  proxy.reset();  // first, so that the two never share an address
  auto started = ProxyUnderTest::start(wanted);
  if (!started) GTEST_SKIP() << started.error().message();
  proxy = std::move(*started);
}

bool RelayPromises::serve_on(const tcp::endpoint& for_clients, const tcp::endpoint& for_backends) {
  try {
    listener = std::make_unique<Listener>(for_backends);
  } catch (const std::system_error&) {
    return false;
  }
  auto on_address = settings();
  on_address.listens_on = for_clients;
  start_proxy(on_address);
  if (!proxy) return false;
  proxy->publish({listener->address()});
  return true;
}

void RelayPromises::serve_nobody_yet(std::chrono::milliseconds hold) {
  auto holding = settings();
  holding.dial.hold = hold;
  start_proxy(holding);
}

void RelayPromises::promote_at_age(std::chrono::milliseconds age) {
  auto ageing = settings();
  ageing.relay.promotion = {.turns = UINT32_MAX, .age = age, .only_where_faster = false};
  start_proxy(ageing);
  proxy->publish({listener->address()});
}

void RelayPromises::serve_with_one_thread() {
  auto alone = settings();
  alone.threads = 1;
  start_proxy(alone);
  proxy->publish({listener->address()});
}

void RelayPromises::serve_with_keepalive(std::chrono::milliseconds longest_silence) {
  auto impatient = settings();
  impatient.keepalive = {.longest = longest_silence};
  start_proxy(impatient);
  proxy->publish({listener->address()});
}

void RelayPromises::serve_with_time_limits(const TimeLimits& limits) {
  auto limited = settings();
  limited.time_limits = limits;
  start_proxy(limited);
  if (proxy) proxy->publish({listener->address()});
}

void RelayPromises::serve_with_proxy_protocol(const ProxyProtocol& proxy_protocol) {
  auto telling = settings();
  telling.proxy = proxy_protocol;
  start_proxy(telling);
  if (proxy) proxy->publish({listener->address()});
}

void RelayPromises::start(Buffers client_buffers, Buffers backend_buffers) {
  const auto relayed_before = proxy->counts().connections_total;
  listener->set_buffers(backend_buffers);
  client = Peer::connect_to(proxy->address(), client_buffers);
  backend = listener->accept();
  // A backend that resets before the proxy has seen its handshake end is one that refuses.
  ASSERT_TRUE(eventually([&] { return proxy->counts().connections_total > relayed_before; }));
}

bool RelayPromises::promotes_at_once() const {
  return GetParam().relay.engine == Engine::kSockmap && GetParam().relay.promotion.turns == 0;
}

void RelayPromises::let_the_kernel_take_over(std::uint64_t connections) {
  if (!promotes_at_once()) return;
  ASSERT_TRUE(
      eventually([&] { return proxy->counts().directions_in_kernel_now == 2 * connections; }));
}

void RelayPromises::expect_bytes_moved_by_the_kernel() {
  if (GetParam().relay.engine != Engine::kSockmap) return;
  const auto counts = proxy->counts();
  EXPECT_GT(counts.to_backend.kernel_bytes, 0U);
  EXPECT_GT(counts.to_client.kernel_bytes, 0U);
}

UniqueFd RelayPromises::proxys_socket_to(const Peer& peer) const {
  return borrow_socket(::getpid(), remote_address(peer.socket()), local_address(peer.socket()));
}

}  // namespace ambbpf::test
