// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "userspace/discovery/name_source.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

// Of the hosts file, or an address: nobody is asked.
struct Known {
  explicit Known(const std::string& host)
      : source(std::make_shared<Resolver>(io.get_executor()), {host, 8080}) {
    spawn(io, source.run(
                  [this](std::vector<Endpoint> set, const Cause&) { endpoints = std::move(set); }));
    const auto deadline = Clock::now() + 20s;
    while (endpoints.empty() && Clock::now() < deadline) io.run_one_for(50ms);
  }

  asio::io_context io;
  NameSource source;
  std::vector<Endpoint> endpoints;
};

TEST(NameSource, PublishesTheAddressesOfAName) {
  Known localhost("localhost");
  ASSERT_FALSE(localhost.endpoints.empty());
  for (const auto& endpoint : localhost.endpoints) {
    EXPECT_TRUE(endpoint.address.address().is_loopback());
    EXPECT_EQ(endpoint.address.port(), 8080);
    EXPECT_EQ(endpoint.found_as, "localhost:8080");
  }
  EXPECT_EQ(localhost.source.status().state, SourceStatus::State::kFollowing);
}

TEST(NameSource, TakesAnAddressAsItIs) {
  for (const std::string text : {"::1", "fe80::1%lo"}) {
    Known address(text);
    ASSERT_EQ(address.endpoints.size(), 1U) << text;
    EXPECT_EQ(to_string(address.endpoints[0].address), "[" + text + "]:8080");
  }
}

TEST(NameSource, SaysThatAnInterfaceIsNotThere) {
  asio::io_context io;
  NameSource source(std::make_shared<Resolver>(io.get_executor()), {"fe80::1%none-such", 8080});
  spawn(io, source.run([](std::vector<Endpoint>, const Cause&) { FAIL(); }));
  const auto deadline = Clock::now() + 20s;
  while (source.status().failures == 0 && Clock::now() < deadline) io.run_one_for(50ms);
  EXPECT_EQ(source.status().last_error, "resolve fe80::1%none-such: there is no such interface");
}

TEST(HostAndPort, IsReadAsItIsWritten) {
  EXPECT_EQ(parse_host_and_port("db-1.example:80")->host, "db-1.example");
  EXPECT_EQ(parse_host_and_port("[fd00::1]:80")->host, "fd00::1");
  EXPECT_EQ(parse_host_and_port("[fe80::1%eth0]:80")->host, "fe80::1%eth0");
  for (const auto* text : {"", "host", ":80", "host:", "host:0", "ho st:80", "fd00::1:80", "[x]:80",
                           "host\n:80", "host/:80", "[fe80::1%\n]:80"})
    EXPECT_FALSE(parse_host_and_port(text)) << text;
}

}  // namespace
}  // namespace ambbpf::test
