// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/containers.h"
#include "userspace/discovery/docker_source.h"

namespace ambbpf {
namespace {

Container providing(const std::string& name, const std::string& address) {
  auto container = running(name);
  container.labels = {{"ambbpf.service", "web"}, {"ambbpf.port", "80"}};
  container.addresses = {asio::ip::make_address(address)};
  return container;
}

TEST(DockerEndpoints, AreTheContainersOwnAddresses) {
  const auto found =
      endpoints_of(all_of({providing("a", "172.17.0.2"), providing("b", "fd00::3"), running("c")}),
                   "web", false);
  ASSERT_EQ(found.endpoints.size(), 2U);
  EXPECT_EQ(to_string(found.endpoints[0].address), "172.17.0.2:80");
  EXPECT_EQ(found.endpoints[0].found_as, "container a");
  EXPECT_EQ(to_string(found.endpoints[1].address), "[fd00::3]:80");
  EXPECT_TRUE(found.rejected.empty());
  EXPECT_TRUE(endpoints_of(all_of({providing("a", "172.17.0.2")}), "db", false).endpoints.empty());
}

TEST(DockerEndpoints, LeaveOutWhatIsNotToBeTalkedTo) {
  auto container = providing("a", "172.17.0.2");
  container.health = Container::Health::kUnhealthy;
  EXPECT_TRUE(endpoints_of(all_of({container}), "web", false).endpoints.empty());
  EXPECT_EQ(endpoints_of(all_of({container}), "web", true).endpoints.size(), 1U);
  container.state = Container::State::kStopping;
  EXPECT_TRUE(endpoints_of(all_of({container}), "web", true).endpoints.empty());
}

TEST(DockerEndpoints, FollowTheNetworkThatAContainerIsIn) {
  auto host = providing("host", "172.17.0.9");
  host.network_mode = "host";
  auto owner = running("owner");
  owner.addresses = {asio::ip::make_address("172.17.0.5")};
  auto guest = providing("guest", "172.17.0.9");
  guest.network_mode = "container:" + owner.id;
  const auto found = endpoints_of(all_of({host, owner, guest}), "web", false);
  ASSERT_EQ(found.endpoints.size(), 2U);
  EXPECT_EQ(to_string(found.endpoints[0].address), "172.17.0.5:80");
  EXPECT_EQ(to_string(found.endpoints[1].address), "127.0.0.1:80");
}

TEST(DockerEndpoints, NameWhatCannotBeReached) {
  auto container = providing("a", "172.17.0.2");
  container.addresses.clear();
  const auto found = endpoints_of(all_of({container}), "web", false);
  ASSERT_EQ(found.rejected.size(), 1U);
  EXPECT_EQ(found.rejected[0], (RejectedValue{"container a", "it has no address"}));
}

}  // namespace
}  // namespace ambbpf
