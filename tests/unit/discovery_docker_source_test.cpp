// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/containers.h"
#include "tests/unit/docker_fake_engine.h"
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
  const auto found = endpoints_of(
      all_of({providing("a", "172.17.0.2"), providing("b", "fd00::3"), running("c")}), "web", {});
  ASSERT_EQ(found.endpoints.size(), 2U);
  EXPECT_EQ(to_string(found.endpoints[0].address), "172.17.0.2:80");
  EXPECT_EQ(found.endpoints[0].found_as, "container a");
  EXPECT_EQ(to_string(found.endpoints[1].address), "[fd00::3]:80");
  EXPECT_TRUE(found.rejected.empty());
  EXPECT_TRUE(endpoints_of(all_of({providing("a", "172.17.0.2")}), "db", {}).endpoints.empty());
}

TEST(DockerEndpoints, LeaveOutWhatIsNotToBeTalkedTo) {
  auto container = providing("a", "172.17.0.2");
  container.health = Container::Health::kUnhealthy;
  EXPECT_TRUE(endpoints_of(all_of({container}), "web", {}).endpoints.empty());
  EXPECT_EQ(endpoints_of(all_of({container}), "web", {.ignore_health = true}).endpoints.size(), 1U);
  container.state = Container::State::kStopping;
  EXPECT_TRUE(endpoints_of(all_of({container}), "web", {.ignore_health = true}).endpoints.empty());
}

TEST(DockerEndpoints, FollowTheNetworkThatAContainerIsIn) {
  auto host = providing("host", "172.17.0.9");
  host.network_mode = "host";
  auto owner = running("owner");
  owner.addresses = {asio::ip::make_address("172.17.0.5")};
  auto guest = providing("guest", "172.17.0.9");
  guest.network_mode = "container:" + owner.id;
  const auto found = endpoints_of(all_of({host, owner, guest}), "web", {});
  ASSERT_EQ(found.endpoints.size(), 2U);
  EXPECT_EQ(to_string(found.endpoints[0].address), "172.17.0.5:80");
  EXPECT_EQ(to_string(found.endpoints[1].address), "127.0.0.1:80");
}

TEST(DockerEndpoints, NameWhatCannotBeReached) {
  auto container = providing("a", "172.17.0.2");
  container.addresses.clear();
  const auto found = endpoints_of(all_of({container}), "web", {});
  ASSERT_EQ(found.rejected.size(), 1U);
  EXPECT_EQ(found.rejected[0], (RejectedValue{"container a", "it has no address"}));
}

TEST(DockerEndpoints, CarryTheirAttributes) {
  auto container = providing("a", "172.17.0.2");
  container.labels.emplace("ambbpf.tag.weight", "3");
  const auto found = endpoints_of(all_of({container}), "web", {});
  ASSERT_EQ(found.endpoints.size(), 1U);
  EXPECT_EQ(found.endpoints[0].attributes, (EndpointAttributes{{"weight", "3"}}));
}

// An engine with one container, and who follows it.
struct DockerCatalogueTest : ::testing::Test {
  template <class Condition>
  bool wait_until(Condition condition) {
    const auto deadline = Clock::now() + std::chrono::seconds(20);
    while (!condition() && Clock::now() < deadline) io.run_one_for(std::chrono::milliseconds(20));
    return condition();
  }
  bool known() {
    return wait_until([&] { return follower.status().state == DockerStatus::State::kFollowing; });
  }
  void start() {
    auto work = catalogue.run();
    spawn_stoppable(io.get_executor(), std::move(work), stop.slot(), [this] { stopped = true; });
  }

  test::FakeEngine engine;
  asio::io_context io;
  asio::cancellation_signal stop;
  asio::cancellation_signal stop_source;
  bool stopped = false;
  bool source_ended = false;
  int published = 0;
  DockerFollower follower{io.get_executor(), engine.address()};
  DockerCatalogue catalogue{follower, {}};
};

TEST_F(DockerCatalogueTest, SourceThatComesLaterKnowsItsSetAtOnce) {
  start();
  ASSERT_TRUE(known());
  const auto source = catalogue.source_of("web");
  auto work = source->run([this](const std::vector<Endpoint>&, const Cause&) { ++published; });
  spawn_stoppable(io.get_executor(), std::move(work), stop_source.slot(),
                  [this] { source_ended = true; });
  EXPECT_TRUE(wait_until([&] { return published == 1; }));
  EXPECT_EQ(follower.status().lists, 1U);
}

TEST_F(DockerCatalogueTest, TellsWhichEventOfWhichContainerItHasHeardOf) {
  start();
  ASSERT_TRUE(known());
  EXPECT_EQ(follower.cause().what.substr(0, 11), "listing of ");
  engine.set(test::kSecond, test::second_body());
  engine.send(test::event("start", test::kSecond));
  ASSERT_TRUE(wait_until([&] { return follower.status().containers == 2; }));
  EXPECT_EQ(follower.cause().what, "container second: start");
  engine.set(test::kWeb, test::away_body());
  engine.send(test::event("die"));
  EXPECT_TRUE(wait_until([&] { return follower.cause().what == "container web: die"; }))
      << follower.cause().what;
}

TEST_F(DockerCatalogueTest, SourcesGoWhileItRuns) {
  start();
  auto source = catalogue.source_of("web");
  auto work = source->run([this](const std::vector<Endpoint>&, const Cause&) { ++published; });
  spawn_stoppable(io.get_executor(), std::move(work), stop_source.slot(),
                  [this] { source_ended = true; });
  ASSERT_TRUE(wait_until([&] { return published == 1; }));
  stop_source.emit(asio::cancellation_type::terminal);
  ASSERT_TRUE(wait_until([&] { return source_ended; }));
  source.reset();
  engine.set(test::kSecond, test::second_body());
  engine.send(test::event("start", test::kSecond));
  EXPECT_TRUE(wait_until([&] { return follower.status().containers == 2; }));
  EXPECT_EQ(published, 1);
}

TEST_F(DockerCatalogueTest, Stops) {
  start();
  ASSERT_TRUE(known());
  stop.emit(asio::cancellation_type::terminal);
  EXPECT_TRUE(wait_until([&] { return stopped; }));
}

}  // namespace
}  // namespace ambbpf
