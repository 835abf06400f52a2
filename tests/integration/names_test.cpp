// SPDX-License-Identifier: Apache-2.0
// Host names as endpoints, with a real DNS server.
#include "tests/integration/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/udp.hpp>

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

TEST_F(NamesInDns, AreAllTheirAddresses) {
  dns.hosts({"127.0.0.2 web.example", "127.0.0.3 web.example", "::1 web.example"});
  const auto& web = follow(HostAndPort{"web.example", 80});
  ASSERT_TRUE(until_set_is(web, {"127.0.0.2:80", "127.0.0.3:80", "[::1]:80"}));
  for (const auto& endpoint : web.last()) EXPECT_EQ(endpoint.found_as, "web.example:80");
  EXPECT_TRUE(web.is(State::kFollowing));
  EXPECT_EQ(web.status().kind, "name");
  EXPECT_EQ(web.status().from, "web.example:80");
  EXPECT_EQ(web.status().endpoints, 3U);
}

TEST_F(NamesInDns, AreFollowedWhenTheirTimeToLiveIsOver) {
  dns.hosts({"127.0.0.2 web.example"});
  const auto& web = follow(HostAndPort{"web.example", 80});
  ASSERT_TRUE(until_set_is(web, {"127.0.0.2:80"}));
  dns.hosts({"127.0.0.3 web.example", "127.0.0.4 web.example"});
  EXPECT_TRUE(until_set_is(web, {"127.0.0.3:80", "127.0.0.4:80"}));
}

TEST_F(NamesInDns, AreNotAskedForBefore) {
  DnsServer slow(/*ttl=*/3600);
  slow.hosts({"127.0.0.2 web.example"});
  resolver->use_servers({slow.address()});
  auto& web = follow(HostAndPort{"web.example", 80});
  ASSERT_TRUE(until_set_is(web, {"127.0.0.2:80"}));
  slow.hosts({"127.0.0.3 web.example"});
  turn_for(1500ms);
  EXPECT_EQ(web.addresses(), Addresses{"127.0.0.2:80"});
  EXPECT_EQ(resolver->questions(), 1U);
  // But when connecting there has failed.
  web.source->doubt();
  EXPECT_TRUE(until_set_is(web, {"127.0.0.3:80"}));
}

TEST_F(NamesInDns, AreAskedForOnceASecondAtMost) {
  DnsServer hasty(/*ttl=*/0);
  hasty.hosts({"127.0.0.2 web.example"});
  resolver->use_servers({hasty.address()});
  auto& web = follow(HostAndPort{"web.example", 80});
  ASSERT_TRUE(until_set_is(web, {"127.0.0.2:80"}));
  const auto begun = Clock::now();
  ASSERT_TRUE(until([&] {
    web.source->doubt();
    return resolver->questions() >= 3;
  }));
  EXPECT_GE(Clock::now() - begun, 1800ms);
}

TEST_F(NamesInDns, KeepTheirLastAddressesWhileNobodyAnswers) {
  dns.hosts({"127.0.0.2 web.example", "127.0.0.3 web.example"});
  const auto& web = follow(HostAndPort{"web.example", 80});
  ASSERT_TRUE(until_set_is(web, {"127.0.0.2:80", "127.0.0.3:80"}));
  dns.stop();
  ASSERT_TRUE(until([&] { return web.is(State::kFailing); }));
  const auto status = web.status();
  EXPECT_EQ(status.last_error.find("resolve web.example: "), 0U) << status.last_error;
  EXPECT_NE(status.last_error.find(to_string(dns.address())), std::string::npos)
      << status.last_error;
  EXPECT_EQ(status.endpoints, 2U);
  ASSERT_TRUE(until([&] { return web.status().failures >= 3; }));
  EXPECT_EQ(web.addresses(), (Addresses{"127.0.0.2:80", "127.0.0.3:80"}));

  dns.hosts({"127.0.0.4 web.example"});
  dns.start();
  EXPECT_TRUE(until_set_is(web, {"127.0.0.4:80"}));
  EXPECT_TRUE(web.is(State::kFollowing));
}

TEST_F(NamesInDns, KeepThemWhenTheyHaveGone) {
  dns.hosts({"127.0.0.2 web.example"});
  const auto& web = follow(HostAndPort{"web.example", 80});
  ASSERT_TRUE(until_set_is(web, {"127.0.0.2:80"}));
  dns.hosts({"127.0.0.9 other.example"});
  ASSERT_TRUE(until([&] { return web.is(State::kFailing); }));
  EXPECT_EQ(web.status().last_error, "resolve web.example: there is no such name");
  EXPECT_EQ(web.addresses(), Addresses{"127.0.0.2:80"});
  dns.hosts({"127.0.0.3 web.example"});
  EXPECT_TRUE(until_set_is(web, {"127.0.0.3:80"}));
}

TEST_F(NamesInDns, MayComeLater) {
  const auto& web = follow(HostAndPort{"web.example", 80});
  ASSERT_TRUE(until([&] { return web.is(State::kFailing); }));
  EXPECT_TRUE(web.sets.empty());
  dns.hosts({"127.0.0.2 web.example"});
  EXPECT_TRUE(until_set_is(web, {"127.0.0.2:80"}));
}

TEST_F(NamesInDns, AreAskedForOnceHoweverManyFollowThem) {
  DnsServer slow(/*ttl=*/3600);
  slow.hosts({"127.0.0.2 web.example"});
  resolver->use_servers({slow.address()});
  for (unsigned short port = 1; port <= 100; ++port) follow(HostAndPort{"web.example", port});
  ASSERT_TRUE(until([&] {
    return std::ranges::none_of(followed, [](const auto& one) { return one.sets.empty(); });
  }));
  const auto& late = follow(HostAndPort{"web.example", 200});
  ASSERT_TRUE(until_set_is(late, {"127.0.0.2:200"}));
  EXPECT_EQ(resolver->questions(), 1U);
}

TEST_F(NamesInDns, AreAskedForAFewAtOnce) {
  // Who takes questions and answers none.
  asio::ip::udp::socket silent(io, {asio::ip::address_v4::loopback(), 0});
  resolver->use_servers({{silent.local_endpoint().address(), silent.local_endpoint().port()}});
  for (int i = 0; i < 200; ++i) follow(HostAndPort{fmt::format("web-{}.example", i), 80});
  turn_for(500ms);
  EXPECT_EQ(resolver->questions(), Resolver::kMostAtOnce);
  // The others have their turn, and are answered.
  std::vector<std::string> hosts;
  for (int i = 0; i < 200; ++i) hosts.push_back(fmt::format("127.0.0.2 web-{}.example", i));
  dns.hosts(hosts);
  resolver->use_servers({dns.address()});
  EXPECT_TRUE(until(
      [&] {
        return std::ranges::none_of(followed, [](const auto& one) { return one.sets.empty(); });
      },
      60s));
}

TEST_F(NamesInDns, ChangeNothingWhenTheServerSendsThemInTurns) {
  dns.hosts({"127.0.0.2 web.example", "127.0.0.3 web.example", "127.0.0.4 web.example"});
  const auto& web = follow(HostAndPort{"web.example", 80});
  ASSERT_TRUE(until([&] { return web.status().lists >= 4; }));
  EXPECT_EQ(web.sets.size(), 1U);
}

// A server that answers for A, and fails for AAAA.
class HalfAServer {
 public:
  explicit HalfAServer(asio::io_context& io) : socket_(io, {asio::ip::address_v4::loopback(), 0}) {
    spawn(io, serve(socket_));
  }
  tcp::endpoint address() const {
    return {socket_.local_endpoint().address(), socket_.local_endpoint().port()};
  }

 private:
  static awaitable<void> serve(asio::ip::udp::socket& socket) {
    for (;;) {
      std::string message(512, '\0');
      asio::ip::udp::endpoint client;
      const auto [error, size] =
          co_await socket.async_receive_from(asio::buffer(message), client, as_tuple);
      if (error) co_return;
      answer(message, size);
      co_await socket.async_send_to(asio::buffer(message), client, as_tuple);
    }
  }
  // The question ends with its type and class, in two bytes each (RFC 1035); additional records,
  // which c-ares sends none of, would follow.
  static void answer(std::string& message, std::size_t size) {
    constexpr std::string_view kAddress{"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\x09", 16};
    const bool is_for_a = message[size - 3] == 1;
    message.resize(size);
    message[2] = '\x85';                      // an answer, of authority
    message[3] = is_for_a ? '\x80' : '\x82';  // SERVFAIL
    if (!is_for_a) return;
    message[7] = 1;
    message += kAddress;
  }

  asio::ip::udp::socket socket_;
};

TEST_F(NamesInDns, KeepWhatIsKnownOfTheHalfThatFails) {
  dns.hosts({"127.0.0.2 web.example", "::1 web.example"});
  const auto& web = follow(HostAndPort{"web.example", 80});
  ASSERT_TRUE(until_set_is(web, {"127.0.0.2:80", "[::1]:80"}));
  {
    const HalfAServer half(io);
    resolver->use_servers({half.address()});
    EXPECT_TRUE(until_set_is(web, {"127.0.0.9:80", "[::1]:80"}));
    const auto lists = web.status().lists;
    EXPECT_TRUE(until([&] { return web.status().lists > lists + 1; }));
    EXPECT_EQ(web.addresses(), (Addresses{"127.0.0.9:80", "[::1]:80"}));
  }
  dns.hosts({"127.0.0.2 web.example"});
  resolver->use_servers({dns.address()});
  EXPECT_TRUE(until_set_is(web, {"127.0.0.2:80"}));
}

// As block lists have it.
TEST_F(NamesInDns, LeadToNoAddressWhereNoBackendCanBe) {
  dns.start({"--address=/none.example/0.0.0.0", "--address=/half.example/0.0.0.0",
             "--address=/half.example/127.0.0.2"});
  const auto& none = follow(HostAndPort{"none.example", 80});
  const auto& half = follow(HostAndPort{"half.example", 80});
  ASSERT_TRUE(until([&] { return none.is(State::kFailing); }));
  EXPECT_EQ(none.status().last_error, "resolve none.example: the name has no address of a backend");
  EXPECT_TRUE(until_set_is(half, {"127.0.0.2:80"}));
}

TEST_F(NamesInDns, AreLedToByAliases) {
  dns.start({"--cname=www.example,web.example"});
  dns.hosts({"127.0.0.2 web.example"});
  const auto& www = follow(HostAndPort{"www.example", 80});
  EXPECT_TRUE(until_set_is(www, {"127.0.0.2:80"}));
}

}  // namespace
}  // namespace ambbpf::test
