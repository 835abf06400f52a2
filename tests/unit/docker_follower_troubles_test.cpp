// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/docker_fake_engine.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using State = Container::State;
using Following = DockerStatus::State;

constexpr DockerFollower::Pace kOften{.list = 50ms, .signal_ignored = 60s};

TEST(DockerFollowerTroubles, StreamThatEndsBeginsAnewWhereItWas) {
  FakeEngine engine;
  Followed followed(engine);
  ASSERT_TRUE(followed.wait_for_state(State::kRunning));
  engine.send(kill_event(15));
  ASSERT_TRUE(followed.wait_for_state(State::kStopping));
  engine.set(kSecond, second_body());
  engine.end_stream();
  ASSERT_TRUE(followed.wait_until([&] { return followed.set.contains(kSecond); }));
  EXPECT_EQ(followed.state_of(kWeb), State::kStopping);
  EXPECT_EQ(
      engine.asked("/events"),
      (std::vector<std::string>{"/v1.24/events", "/v1.24/events?since=1795383940.000000002"}));
  EXPECT_EQ(followed.follower.status().state, Following::kFollowing);
  EXPECT_EQ(followed.follower.status().lists, 2U);
}

TEST(DockerFollowerTroubles, WhileTheEngineIsAwayTheSetStays) {
  FakeEngine engine;
  Followed followed(engine);
  ASSERT_TRUE(followed.wait_for_state(State::kRunning));
  const auto& status = followed.follower.status();
  engine.break_down(true);
  engine.end_stream();
  ASSERT_TRUE(followed.wait_until([&] { return status.state == Following::kFailing; }));
  ASSERT_TRUE(followed.wait_until([&] { return status.failures >= 4; }));
  EXPECT_EQ(followed.published, 1);
  EXPECT_EQ(status.containers, 1U);
  EXPECT_NE(status.last_error.find("status 500, 'out of order'"), std::string::npos)
      << status.last_error;
  engine.break_down(false);
  engine.set(kWeb, away_body());
  ASSERT_TRUE(followed.wait_for_state(State::kAway));
  EXPECT_EQ(status.state, Following::kFollowing);
}

TEST(DockerFollowerTroubles, NoSocketIsSaidAndTriedAgain) {
  asio::io_context io;
  const auto address = parse_docker_host("unix:///nonexistent/docker.sock", false, {});
  DockerFollower follower(io.get_executor(), address.value());
  const auto subscriber =
      follower.subscribe([](const Containers&) { ADD_FAILURE() << "published"; });
  spawn(io, follower.run());
  const auto deadline = Clock::now() + 20s;
  while (follower.status().failures < 3 && Clock::now() < deadline) io.run_one_for(50ms);
  EXPECT_GE(follower.status().failures, 3U);
  EXPECT_EQ(follower.status().state, Following::kFailing);
  EXPECT_EQ(
      follower.status().last_error,
      "GET http://docker/version: unix socket /nonexistent/docker.sock: No such file or directory");
}

TEST(DockerFollowerTroubles, OneThatCannotBeInspectedDoesNotStopTheOthers) {
  FakeEngine engine;
  engine.set(kSecond, "damaged");
  Followed followed(engine, kOften);
  ASSERT_TRUE(followed.wait_for_state(State::kRunning));
  EXPECT_EQ(followed.set.size(), 1U);
  EXPECT_EQ(followed.follower.status().state, Following::kFollowing);
  engine.set(kSecond, second_body());
  ASSERT_TRUE(followed.wait_until([&] { return followed.set.size() == 2; }));
  engine.set(kWeb, "damaged");
  const auto failures = followed.follower.status().failures;
  ASSERT_TRUE(
      followed.wait_until([&] { return followed.follower.status().failures >= failures + 2; }));
  EXPECT_EQ(followed.state_of(kWeb), State::kRunning) << "it stays what it was";
}

TEST(DockerFollowerTroubles, IfNoneCanBeInspectedThatIsAnOutage) {
  FakeEngine engine;
  engine.set(kWeb, "damaged");
  Followed followed(engine, kOften);
  const auto& status = followed.follower.status();
  ASSERT_TRUE(followed.wait_until([&] { return status.state == Following::kFailing; }));
  EXPECT_EQ(followed.published, 0);
  engine.set(kWeb, web_body());
  ASSERT_TRUE(followed.wait_for_state(State::kRunning));
  EXPECT_EQ(status.state, Following::kFollowing);
}

TEST(DockerFollowerTroubles, EventsThatAreNoneAreEndured) {
  FakeEngine engine;
  Followed followed(engine);
  ASSERT_TRUE(followed.wait_for_state(State::kRunning));
  engine.send("{\"status\":7}\n{]\n{}\n" + kill_event(15));
  EXPECT_TRUE(followed.wait_for_state(State::kStopping));
  EXPECT_EQ(engine.asked("/events").size(), 1U);
  engine.set(kWeb, away_body());
  engine.send("garbage\n");
  EXPECT_TRUE(followed.wait_for_state(State::kAway)) << "it begins anew, and lists";
  EXPECT_EQ(engine.asked("/events").size(), 2U);
}

TEST(DockerFollowerTroubles, StreamsThatEndAtOnceAreNotTriedInACircle) {
  FakeEngine engine;
  engine.on_request = [&](const std::string& path) {
    if (path.find("/json") != std::string::npos) engine.end_stream();
  };
  Followed followed(engine);
  const auto until = Clock::now() + 1s;
  while (Clock::now() < until) followed.io.run_one_for(50ms);
  const auto streams = engine.asked("/events").size();
  EXPECT_GE(streams, 2U) << "tried again";
  EXPECT_LE(streams, 12U);
}

}  // namespace
}  // namespace ambbpf::test
