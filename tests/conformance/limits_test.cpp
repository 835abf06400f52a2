// SPDX-License-Identifier: Apache-2.0
// What connections may not have: more than their service's share, and descriptors that are kept
// back for others.
#include <filesystem>
#include <vector>

#include "tests/conformance/expect_service.h"
#include "tests/support/proxy_under_test.h"

namespace ambbpf::test {
namespace {

const RelayOptions kSplice{.engine = Engine::kSplice, .promotion = {}};

std::size_t open_pipes() {
  std::size_t pipes = 0;
  std::error_code gone;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd"))
    if (std::filesystem::read_symlink(fd, gone).string().starts_with("pipe:")) ++pipes;
  return pipes;
}

class Limits : public ::testing::Test {
 protected:
  void start(const ProxySettings& settings) {
    auto started = ProxyUnderTest::start(settings);
    ASSERT_TRUE(started) << started.error().message();
    proxy = std::move(*started);
    proxy->publish({listener.address()});
  }

  void expect_refusal(Peer& client) {
    EXPECT_EQ(client.read_until_end().error, std::errc::connection_reset);
  }

  Listener listener{loopback_v4()};
  std::unique_ptr<ProxyUnderTest> proxy;
};

}  // namespace

TEST_F(Limits, AConnectionTooManyIsResetAndCountedAndTheOthersGoOn) {
  start({.relay = kSplice, .dial = {}});
  proxy->service().limit_connections(2);
  Peer first = Peer::connect_to(proxy->address());
  Peer second = Peer::connect_to(proxy->address());
  Peer third = Peer::connect_to(proxy->address());
  expect_refusal(third);
  EXPECT_EQ(proxy->service().too_many, 1U);
  EXPECT_EQ(proxy->service().connections_total, 2U);
  expect_service(listener, first);
  expect_service(listener, second);
  first.close();
  second.close();
  ASSERT_TRUE(proxy->becomes_idle());
  Peer fourth = Peer::connect_to(proxy->address());
  expect_service(listener, fourth);
}

TEST_F(Limits, AClientThatIsHeldCounts) {
  start({.relay = kSplice, .dial = {}});
  proxy->publish({});
  proxy->service().limit_connections(1);
  Peer held = Peer::connect_to(proxy->address());
  ASSERT_TRUE(eventually([&] { return proxy->service().held == 1; }));
  Peer second = Peer::connect_to(proxy->address());
  expect_refusal(second);
  proxy->publish({listener.address()});
  expect_service(listener, held);
}

TEST_F(Limits, ADescriptorThatIsKeptBackIsForNoConnection) {
  start({.relay = kSplice, .dial = {.descriptors_below = 0}});
  Peer client = Peer::connect_to(proxy->address());
  expect_refusal(client);
  EXPECT_EQ(proxy->service().out_of_descriptors, 1U);
  EXPECT_EQ(proxy->service().too_many, 0U);
  EXPECT_EQ(proxy->service().connections_now, 0U);
}

TEST_F(Limits, ADescriptorThatIsKeptBackIsForNoPipe) {
  auto relay = kSplice;
  relay.pipes_below = 0;
  start({.relay = relay, .dial = {}});
  const auto before = open_pipes();
  Peer client = Peer::connect_to(proxy->address());
  Peer backend = listener.accept();
  const auto sent = bytes_from_seed(1, 64 * kMiB);
  const auto taken = client.send_until_stalled(sent);
  EXPECT_LT(taken, sent.size());
  EXPECT_EQ(open_pipes(), before) << "what the backend does not take is in a pipe";
  auto rest = in_background([&] {
    client.send(std::string_view(sent).substr(taken));
    client.finish();
  });
  EXPECT_TRUE(same(backend.read_all(), sent));
  rest.get();
}

}  // namespace ambbpf::test
