// SPDX-License-Identifier: Apache-2.0
// Zero hop for consumers in other network namespaces, as containers are.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "tests/support/free_port.h"
#include "tests/support/named_backend.h"
#include "tests/support/other_network.h"
#include "tests/support/own_bpf_file_system.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "tests/support/status.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

tcp::endpoint at(const std::string& address, unsigned short port = 0) {
  return {asio::ip::make_address(address), port};
}

class DirectFromElsewhere : public testing::Test {
 protected:
  std::string admin() const { return (place.path() / "admin.sock").string(); }
  std::vector<std::string> forward(const NamedBackend& backend, const std::string& listen) const {
    return {"forward",   to_string(backend.listener().address()),
            "--listen",  listen,
            "--admin",   admin(),
            "--threads", "1",
            "--direct"};
  }
  std::string ask_from_there(const tcp::endpoint& address) const {
    return other.inside([address] { return ask(address); });
  }
  std::uint64_t sent_on() const {
    return status_at("/processes/0/services/0/endpoints/0/direct_total", admin()).GetUint64();
  }

  std::filesystem::path file() const { return place.path() / "ambbpf.toml"; }
  // By a file: `endpoints` as they stand in its list, `more` lines of the service.
  void write(const std::string& endpoints, const std::string& more = "") const {
    std::ofstream(file()) << "threads = 1\nlog_level = \"debug\"\nadmin = \"" << admin()
                          << "\"\n[service.web]\nlisten = \":" << port
                          << "\"\ndirect = true\nendpoints = [" << endpoints << "]\n"
                          << more;
  }
  void reload_with(const std::string& endpoints, const std::string& more = "") const {
    write(endpoints, more);
    ASSERT_EQ(run({"reload", "--admin", admin()}).code, 0);
  }
  static std::string quoted(const tcp::endpoint& endpoint) {
    return '"' + to_string(endpoint) + '"';
  }

  OwnBpfFileSystem pins;
  TemporaryDirectory place;
  unsigned short port = free_port();
  OtherNetwork other{"198.51.100.1", "198.51.100.2"};
};

TEST_F(DirectFromElsewhere, ConsumerIsSentOnToWhatItReaches) {
  NamedBackend backend("web", at("198.51.100.1"));
  Program ambassador(forward(backend, "0.0.0.0:" + std::to_string(port)));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_TRUE(eventually([&] {
    EXPECT_EQ(ask_from_there(at("198.51.100.1", port)), "web");
    return sent_on() >= 3;
  })) << ambassador.err();
}

TEST_F(DirectFromElsewhere, EndpointOnLoopbackIsReachedByTheProxy) {
  NamedBackend backend("web");
  other.run("true");
  Program ambassador(forward(backend, "0.0.0.0:" + std::to_string(port)));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  for (int i = 0; i < 20; ++i) ASSERT_EQ(ask_from_there(at("198.51.100.1", port)), "web") << i;
  EXPECT_EQ(sent_on(), 0U);
}

TEST_F(DirectFromElsewhere, EndpointOutOfReachIsReachedByTheProxy) {
  ASSERT_EQ(std::system("ip address replace 203.0.113.1/32 dev lo"), 0);
  NamedBackend backend("web", at("203.0.113.1"));
  Program ambassador(forward(backend, "0.0.0.0:" + std::to_string(port)));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  for (int i = 0; i < 20; ++i) ASSERT_EQ(ask_from_there(at("198.51.100.1", port)), "web") << i;
  EXPECT_EQ(sent_on(), 0U);
}

// What is dialled there is another's, though its address is one of this host here.
TEST_F(DirectFromElsewhere, AddressThatMeansSomebodyElseThereIsLeftAlone) {
  ASSERT_EQ(std::system("ip address replace 203.0.113.7/32 dev lo"), 0);
  other.run("ip address add 203.0.113.7/32 dev lo");
  NamedBackend backend("ours", at("198.51.100.1"));
  Program ambassador(forward(backend, "0.0.0.0:" + std::to_string(port)));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  auto theirs = other.inside(
      [this] { return std::make_unique<NamedBackend>("theirs", at("203.0.113.7", port)); });
  // Known to mean us under another address.
  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(ask_from_there(at("198.51.100.1", port)), "ours");
    return sent_on() > 0;
  }));
  for (int i = 0; i < 20; ++i) ASSERT_EQ(ask_from_there(at("203.0.113.7", port)), "theirs") << i;
  other.inside([&theirs] {
    theirs.reset();
    return true;
  });
}

TEST_F(DirectFromElsewhere, ConnectionIsResetThereWhenItsEndpointIsRemoved) {
  Listener backend(at("198.51.100.1"));
  const auto reset = "on_removal = \"reset\"\n";
  write(quoted(backend.address()), reset);
  Program ambassador({"run", "--config", file().string()});
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  Peer consumer;
  ASSERT_TRUE(eventually([&] {
    const auto before = sent_on();
    consumer = other.inside([this] { return Peer::connect_to(at("198.51.100.1", port)); });
    return sent_on() > before;
  })) << ambassador.err();
  reload_with("\"127.0.0.1:1\"", reset);
  EXPECT_EQ(consumer.read_until_end().error, std::errc::connection_aborted) << ambassador.err();
}

TEST_F(DirectFromElsewhere, WhatIsOutOfReachIsAskedSeldom) {
  ASSERT_EQ(std::system("ip address replace 203.0.113.1/32 dev lo"), 0);
  NamedBackend backend("web", at("203.0.113.1"));
  write(quoted(backend.listener().address()));
  Program ambassador({"run", "--config", file().string()});
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  const auto end = std::chrono::steady_clock::now() + 2500ms;
  while (std::chrono::steady_clock::now() < end)
    ASSERT_EQ(ask_from_there(at("198.51.100.1", port)), "web");
  int times = 0;
  const auto said = ambassador.err();
  const std::string line = "is asked again in";
  for (auto found = said.find(line); found != std::string::npos; found = said.find(line, found + 1))
    ++times;
  EXPECT_GE(times, 1) << said;
  EXPECT_LE(times, 2) << "at once, and after a second: " << said;
}

// The programs know endpoints by numbers, which others get in time.
TEST_F(DirectFromElsewhere, WhatIsKnownOfAnEndpointIsNotKnownOfTheNextOne) {
  ASSERT_EQ(std::system("ip address replace 203.0.113.1/32 dev lo"), 0);
  NamedBackend reached("reached", at("198.51.100.1"));
  NamedBackend next("next", at("203.0.113.1"));
  write(quoted(reached.listener().address()));
  Program ambassador({"run", "--config", file().string()});
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(ask_from_there(at("198.51.100.1", port)), "reached");
    return sent_on() > 0;
  })) << ambassador.err();
  reload_with("\"127.0.0.1:1\"");
  std::this_thread::sleep_for(2500ms);  // then its number is free again
  reload_with(quoted(next.listener().address()));
  for (int i = 0; i < 20; ++i) ASSERT_EQ(ask_from_there(at("198.51.100.1", port)), "next") << i;
  EXPECT_EQ(sent_on(), 0U);
}

}  // namespace
}  // namespace ambbpf::test
