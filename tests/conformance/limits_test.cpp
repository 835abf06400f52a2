// SPDX-License-Identifier: Apache-2.0
// What connections may not have: more than their service's share, and descriptors that are kept
// back for others.
#include <sys/socket.h>

#include <filesystem>
#include <vector>

#include "tests/conformance/expect_service.h"
#include "tests/support/proxy_under_test.h"

namespace ambbpf::test {

using namespace std::chrono_literals;

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

TEST_F(Limits, WhoIsRefusedReadsTheEndOfTheStreamWhereThatIsAsked) {
  start({.relay = kSplice, .dial = {.hold = 200ms}, .refuse = Refuse::kClose});
  proxy->service().limit_connections(1);
  Peer first = Peer::connect_to(proxy->address());
  expect_service(listener, first);
  EXPECT_EQ(Peer::connect_to(proxy->address()).read_until_end().error, std::error_code());
  EXPECT_EQ(proxy->service().too_many, 1U);
  first.close();
  ASSERT_TRUE(proxy->becomes_idle());
  // Also where it has said something that nobody will read.
  proxy->publish({});
  Peer held = Peer::connect_to(proxy->address());
  held.send(std::string(10'000, 'x'));
  const auto end = held.read_until_end();
  EXPECT_EQ(end.error, std::error_code()) << end.error.message();
  EXPECT_EQ(end.bytes, "");
  EXPECT_EQ(proxy->service().no_endpoint, 1U);
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

namespace {

std::shared_ptr<ClientLimits> limits(const ClientLimitSettings& settings) {
  auto made = std::make_shared<ClientLimits>();
  made->change(settings);
  return made;
}

// From another address of the loopback than 127.0.0.1.
Peer connect_from(const char* address, const tcp::endpoint& to) {
  return Peer::connect_to(to, {}, tcp::endpoint(asio::ip::make_address(address), 0));
}

}  // namespace

TEST_F(Limits, AClientHasNoMoreThanItsShare) {
  start({.relay = kSplice, .dial = {}, .clients = limits({.most_of_a_client = 1})});
  Peer first = Peer::connect_to(proxy->address());
  expect_service(listener, first);
  first.close();
  ASSERT_TRUE(proxy->becomes_idle());
  Peer second = Peer::connect_to(proxy->address());
  Peer its_backend = listener.accept();
  Peer third = Peer::connect_to(proxy->address());
  expect_refusal(third);
  EXPECT_EQ(proxy->service().too_many_of_a_client, 1U);
  Peer another = connect_from("127.0.0.2", proxy->address());
  expect_service(listener, another);
}

TEST_F(Limits, AClientThatIsDeniedReachesNoBackend) {
  start(
      {.relay = kSplice, .dial = {}, .clients = limits({.deny = {*Network::parse("127.0.0.2")}})});
  Peer denied = connect_from("127.0.0.2", proxy->address());
  expect_refusal(denied);
  EXPECT_EQ(proxy->service().denied, 1U);
  Peer welcome = Peer::connect_to(proxy->address());
  expect_service(listener, welcome);
}

TEST_F(Limits, WhoIsToldOfInAHeaderIsTheClient) {
  start({.relay = kSplice,
         .dial = {},
         .proxy = {.clients = ProxyProtocol::Clients::kMustSend,
                   .trusted = {*Network::parse("127.0.0.1")}},
         .clients = limits({.deny = {*Network::parse("192.0.2.9")}, .most_of_a_client = 1})});
  const auto connect_for = [this](const std::string& client) {
    Peer peer = Peer::connect_to(proxy->address());
    peer.send("PROXY TCP4 " + client + " 192.0.2.2 51234 443\r\n");
    return peer;
  };
  Peer one = connect_for("192.0.2.1");
  Peer backend_of_one = listener.accept();
  Peer two = connect_for("192.0.2.2");
  expect_service(listener, two);
  Peer one_again = connect_for("192.0.2.1");
  expect_refusal(one_again);
  Peer denied = connect_for("192.0.2.9");
  expect_refusal(denied);
  EXPECT_EQ(proxy->service().too_many_of_a_client, 1U);
  EXPECT_EQ(proxy->service().denied, 1U);
}

TEST_F(Limits, ConnectionsComeNoFasterThanTheyMay) {
  start({.relay = kSplice, .dial = {}, .clients = limits({.rate = 1})});
  Peer first = Peer::connect_to(proxy->address());
  expect_service(listener, first);
  EXPECT_TRUE(eventually([&] {
    const Peer next = Peer::connect_to(proxy->address());
    return proxy->service().too_fast >= 1;
  }));
}

}  // namespace ambbpf::test
