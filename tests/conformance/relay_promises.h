// SPDX-License-Identifier: Apache-2.0
// What a proxied connection promises to its two peers, whichever engine moves its bytes. Each test
// runs with every engine, from the proxy's accept to its close, over real loopback sockets. The
// proxy has as many threads as AMBBPF_TEST_THREADS says, by default one.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/peers.h"
#include "tests/support/proxy_under_test.h"

namespace ambbpf::test {

// What may be under way for a reader that stands still, in both kernels' buffers and in the proxy.
inline constexpr std::size_t kMostHeld = 32 * kMiB;

inline constexpr std::uint32_t kSlots = 512;  // two for each connection in the sockmap

struct EngineUnderTest {
  std::string_view name;
  RelayOptions relay;
};

inline std::ostream& operator<<(std::ostream& out, const EngineUnderTest& engine) {
  return out << engine.name;
}

EngineUnderTest sockmap_at_once();  // connections enter the kernel path as they are accepted
std::vector<EngineUnderTest> every_engine();
inline std::string name_of_engine(const ::testing::TestParamInfo<EngineUnderTest>& engine) {
  return std::string(engine.param.name);
}

class RelayPromises : public ::testing::TestWithParam<EngineUnderTest> {
 protected:
  // A proxy and a listener that it knows as its only endpoint.
  void SetUp() override;
  // Whatever the test did: nothing is left over, and the proxy's own accounting is right.
  void TearDown() override;

  // In place of what SetUp() made. False where this machine does not have such addresses.
  bool serve_on(const tcp::endpoint& for_clients, const tcp::endpoint& for_backends);
  // In place of the proxy that SetUp() made.
  void promote_at_age(std::chrono::milliseconds age);
  // The same, for a promise about one thread, however many AMBBPF_TEST_THREADS asks for.
  void serve_with_one_thread();
  // The same, and peers may be silent for this long.
  void serve_with_keepalive(std::chrono::milliseconds longest_silence);
  void serve_with_time_limits(const TimeLimits& limits);
  void serve_with_proxy_protocol(const ProxyProtocol& proxy_protocol);
  // The same, and with no endpoint.
  void serve_nobody_yet(std::chrono::milliseconds hold);

  // Connects `client` and `backend` through the proxy.
  void start(Buffers client_buffers = {}, Buffers backend_buffers = {});
  Peer connect() { return Peer::connect_to(proxy->address()); }

  // With promotion at once: waits until the kernel program moves both directions of `connections`.
  void let_the_kernel_take_over(std::uint64_t connections = 1);
  bool promotes_at_once() const;
  // A test of the kernel path is none when all bytes went through user space.
  void expect_bytes_moved_by_the_kernel();

  // The proxy's own end of the connection to a peer of ours; it stays open while this is held.
  UniqueFd proxys_socket_to(const Peer& peer) const;

  std::unique_ptr<ProxyUnderTest> proxy;
  std::unique_ptr<Listener> listener;
  Peer client;
  Peer backend;
  std::uint64_t expected_mismatches = 0;  // of bytes received and sent on, when TearDown() looks

 private:
  ProxySettings settings() const;
  void start_proxy(const ProxySettings& wanted);

  std::size_t descriptors_before_ = 0;
};

}  // namespace ambbpf::test
