// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <system_error>
#include <thread>

#include "tests/support/own_network.h"
#include "userspace/endpoints/endpoint.h"
#include "userspace/proxy/own_listeners.h"

namespace ambbpf::test {
namespace {

OwnListeners listening_on(const std::string& address) {
  OwnListeners own;
  own.add(parse_address(address).value());
  return own;
}

bool is_own(const OwnListeners& own, const std::string& address) {
  return !own.objection_to(parse_address(address).value()).empty();
}

// In a network of its own, in which the commands have been done.
void with_network(const std::vector<std::pair<std::string, std::string>>& settings,
                  const std::function<void()>& work) {
  bool refused = false;
  std::thread([&] {
    try {
      enter_own_network(settings);
    } catch (const std::system_error&) {
      refused = true;
      return;
    }
    work();
  }).join();
  if (refused) GTEST_SKIP() << "no network of its own";
}

void command(const char* words) { ASSERT_EQ(std::system(words), 0) << words; }

}  // namespace

TEST(OwnListeners, AnAddressIsItself) {
  const auto own = listening_on("127.0.0.1:80");
  EXPECT_EQ(own.objection_to(parse_address("127.0.0.1:80").value()),
            "127.0.0.1:80 is where this process listens");
  EXPECT_TRUE(is_own(own, "[::ffff:127.0.0.1]:80"));
  EXPECT_FALSE(is_own(own, "127.0.0.1:81"));
  EXPECT_FALSE(is_own(own, "127.0.0.2:80"));
  EXPECT_FALSE(is_own(own, "[::1]:80"));
}

TEST(OwnListeners, EveryAddressIsEachOneOfThisHost) {
  const auto own = listening_on("[::]:80");
  for (const auto* address : {"127.0.0.1:80", "127.1.2.3:80", "[::1]:80", "[::ffff:127.0.0.1]:80"})
    EXPECT_TRUE(is_own(own, address)) << address;
  for (const auto* address : {"127.0.0.1:81", "192.0.2.7:80", "[2001:db8::7]:80"})
    EXPECT_FALSE(is_own(own, address)) << address;
  EXPECT_FALSE(is_own(listening_on("0.0.0.0:80"), "[::1]:80"));
}

TEST(OwnListeners, AddressesOfTheHostComeAndGo) {
  with_network({}, [] {
    const auto own = listening_on("[::]:80");
    EXPECT_FALSE(is_own(own, "10.99.0.1:80"));
    command("ip address add 10.99.0.1/32 dev lo");
    command("ip address add 10.99.0.2/32 dev lo");
    EXPECT_TRUE(is_own(own, "10.99.0.1:80"));
    EXPECT_TRUE(is_own(own, "10.99.0.2:80"));
    EXPECT_FALSE(is_own(own, "10.99.0.3:80"));
    command("ip address delete 10.99.0.2/32 dev lo");
    EXPECT_FALSE(is_own(own, "10.99.0.2:80"));
  });
}

TEST(OwnListeners, WhereEverybodyMayBindEverythingOtherHostsAreStillOthers) {
  with_network({{"ip_nonlocal_bind", "1"}}, [] {
    const auto own = listening_on("0.0.0.0:80");
    command("ip address add 10.99.0.1/32 dev lo");
    command("ip route add default dev lo");
    EXPECT_TRUE(is_own(own, "10.99.0.1:80"));
    EXPECT_FALSE(is_own(own, "10.99.0.3:80"));
  });
}

}  // namespace ambbpf::test
