// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/containers.h"
#include "userspace/endpoints/endpoint.h"
#include "userspace/registration/published_address.h"

namespace ambbpf {
namespace {

// Where port 80 with these bindings is to be reached, or why nowhere.
std::string published(const std::vector<PortBinding>& bindings,
                      const std::string& advertised = "10.0.0.1") {
  auto container = running("web");
  container.ports[80] = bindings;
  const auto address =
      published_address(all_of({container}), container, 80, asio::ip::make_address(advertised));
  return address ? to_string(*address) : address.error().message();
}

TEST(PublishedAddress, EveryAddressIsTheAdvertisedOne) {
  EXPECT_EQ(published({{"0.0.0.0", 49153}}), "10.0.0.1:49153");
  EXPECT_EQ(published({{"", 49153}}), "10.0.0.1:49153");
  EXPECT_EQ(published({{"::", 49154}}, "fd00::1"), "[fd00::1]:49154");
}

TEST(PublishedAddress, EachFamilyHasItsOwnPort) {
  const std::vector<PortBinding> both{{"0.0.0.0", 49153}, {"::", 49160}};
  EXPECT_EQ(published(both), "10.0.0.1:49153");
  EXPECT_EQ(published(both, "fd00::1"), "[fd00::1]:49160");
  const std::vector<PortBinding> other_way{{"::", 49160}, {"0.0.0.0", 49153}};
  EXPECT_EQ(published(other_way), "10.0.0.1:49153");
  EXPECT_EQ(published({{"::", 49160}}),
            "port 80 is published for IPv6 only, and 10.0.0.1 is advertised");
}

TEST(PublishedAddress, TheAdvertisedAddressComesFirst) {
  EXPECT_EQ(published({{"192.168.0.1", 1}, {"0.0.0.0", 2}, {"10.0.0.1", 3}}), "10.0.0.1:3");
  EXPECT_EQ(published({{"192.168.0.1", 1}, {"0.0.0.0", 2}}), "10.0.0.1:2");
}

TEST(PublishedAddress, AnAddressOfItsOwnIsTaken) {
  EXPECT_EQ(published({{"192.168.0.1", 8080}}), "192.168.0.1:8080");
  EXPECT_EQ(published({{"fd00::2", 8080}, {"::", 8081}}), "[fd00::2]:8080");
}

TEST(PublishedAddress, LoopbackIsOfUseToThisMachineOnly) {
  EXPECT_EQ(published({{"127.0.0.1", 8080}}), "port 80 is published on loopback only");
  EXPECT_EQ(published({{"127.0.0.1", 8080}}, "127.0.0.1"), "127.0.0.1:8080");
  EXPECT_EQ(published({{"127.0.0.1", 8080}, {"192.168.0.1", 8081}}), "192.168.0.1:8081");
}

TEST(PublishedAddress, NothingPublishedIsAnError) {
  EXPECT_EQ(published({}), "port 80 is not published");
  auto container = running("web");
  EXPECT_FALSE(
      published_address(all_of({container}), container, 80, asio::ip::make_address("10.0.0.1")));
}

TEST(PublishedAddress, HostNetworkHasThePortItself) {
  auto container = running("web");
  container.network_mode = "host";
  const auto address =
      published_address(all_of({container}), container, 80, asio::ip::make_address("10.0.0.1"));
  ASSERT_TRUE(address);
  EXPECT_EQ(to_string(*address), "10.0.0.1:80");
}

TEST(PublishedAddress, ASharedNetworkHasTheBindingsOfItsOwner) {
  auto owner = running("owner");
  owner.ports[80] = {{"0.0.0.0", 49153}};
  auto web = running("web");
  web.network_mode = "container:" + owner.id;
  const auto advertised = asio::ip::make_address("10.0.0.1");
  const auto address = published_address(all_of({owner, web}), web, 80, advertised);
  ASSERT_TRUE(address) << address.error().message();
  EXPECT_EQ(to_string(*address), "10.0.0.1:49153");

  owner.state = Container::State::kAway;
  EXPECT_EQ(published_address(all_of({owner, web}), web, 80, advertised).error().message(),
            "container owner, whose network it shares, does not run");
  EXPECT_EQ(published_address(all_of({web}), web, 80, advertised).error().message(),
            "the container whose network it shares is gone");
}

}  // namespace
}  // namespace ambbpf
