// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "userspace/discovery/name_source.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

struct Resolved {
  Resolved(const std::string& host, NameSource::Pace pace) : source(io, host, 8080, pace) {
    spawn(io, source.run([this](std::vector<Endpoint> set, const Cause&) {
      endpoints = std::move(set);
      ++published;
    }));
  }
  template <class Condition>
  bool wait_until(Condition condition) {
    const auto deadline = Clock::now() + 20s;
    while (!condition() && Clock::now() < deadline) io.run_one_for(50ms);
    return condition();
  }

  asio::io_context io;
  NameSource source;
  std::vector<Endpoint> endpoints;
  int published = 0;
};

constexpr NameSource::Pace kNever{.age = 1h, .least = 0ms};

TEST(NameSource, PublishesTheAddressesOfAName) {
  Resolved localhost("localhost", kNever);
  ASSERT_TRUE(localhost.wait_until([&] { return localhost.published > 0; }));
  ASSERT_FALSE(localhost.endpoints.empty());
  for (const auto& endpoint : localhost.endpoints) {
    EXPECT_TRUE(endpoint.address.address().is_loopback());
    EXPECT_EQ(endpoint.address.port(), 8080);
    EXPECT_EQ(endpoint.found_as, "localhost:8080");
  }
  EXPECT_EQ(localhost.source.status().state, SourceStatus::State::kFollowing);
}

TEST(NameSource, TakesAnAddressAsItIs) {
  Resolved address("::1", kNever);
  ASSERT_TRUE(address.wait_until([&] { return address.published > 0; }));
  ASSERT_EQ(address.endpoints.size(), 1U);
  EXPECT_EQ(to_string(address.endpoints[0].address), "[::1]:8080");
}

TEST(NameSource, AsksAgainWhenTheAnswerHasAged) {
  Resolved name("localhost", {.age = 10ms, .least = 0ms});
  EXPECT_TRUE(name.wait_until([&] { return name.published >= 3; }));
}

TEST(NameSource, AsksAgainInDoubtButNotMoreOftenThanAgreed) {
  Resolved name("localhost", {.age = 1h, .least = 300ms});
  ASSERT_TRUE(name.wait_until([&] { return name.published == 1; }));
  const auto asked = Clock::now();
  for (int i = 0; i < 50; ++i) name.source.doubt();
  ASSERT_TRUE(name.wait_until([&] {
    name.source.doubt();
    return name.published == 2;
  }));
  EXPECT_GE(Clock::now() - asked, 200ms);
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
