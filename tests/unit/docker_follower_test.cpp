// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <future>

#include "tests/unit/docker_fake_engine.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using State = Container::State;

struct Engine {
  const char* name;
  const char* version_answer;  // empty: GET /version is refused
  const char* lowest;
  const char* used;  // the version that we are to use
};

class DockerVersions : public ::testing::TestWithParam<Engine> {};

INSTANTIATE_TEST_SUITE_P(Engine, DockerVersions,
                         ::testing::Values(Engine{"docker_1_12", "version_1.24", "1.00", "1.24"},
                                           Engine{"docker_20_10", "version_1.41", "1.12", "1.24"},
                                           Engine{"docker_29", "version_1.52", "1.44", "1.44"},
                                           Engine{"guarded", "", "1.12", "1.24"},
                                           Engine{"guarded_29", "", "1.44", "1.44"}),
                         [](const auto& engine) { return engine.param.name; });

TEST_P(DockerVersions, IsFollowed) {
  FakeEngine engine(GetParam().version_answer, GetParam().lowest);
  Followed followed(engine);
  ASSERT_TRUE(followed.wait_for_state(State::kRunning)) << followed.follower.status().last_error;
  EXPECT_EQ(followed.set.at(kWeb).name, "web");
  const auto& status = followed.follower.status();
  EXPECT_EQ(status.version, GetParam().used);
  EXPECT_EQ(status.state, DockerStatus::State::kFollowing);
  EXPECT_EQ(status.containers, 1U);
  EXPECT_EQ(status.lists, 1U);
  EXPECT_EQ(status.failures, 0U) << status.last_error;
}

TEST_P(DockerVersions, HostName) {
  FakeEngine engine(GetParam().version_answer, GetParam().lowest);
  asio::io_context io;
  DockerApi api(io.get_executor(), engine.address());
  std::optional<Result<std::string>> name;
  asio::co_spawn(io, api.host_name(), [&](const std::exception_ptr&, Result<std::string> answer) {
    name = std::move(answer);
  });
  io.run();
  ASSERT_TRUE(name && *name) << name->error().message();
  EXPECT_EQ(**name, "core-1");
}

TEST(DockerFollower, OpensTheStreamBeforeItLists) {
  FakeEngine engine;
  Followed followed(engine);
  ASSERT_TRUE(followed.wait_for_state(State::kRunning));
  EXPECT_EQ(engine.asked(""),
            (std::vector<std::string>{"/version", "/v1.24/events", "/v1.24/containers/json?all=1",
                                      "/v1.24/containers/" + kWeb + "/json"}));
}

TEST(DockerFollower, FirstSetIsWhole) {
  FakeEngine engine;
  engine.set(kSecond, second_body());
  Followed followed(engine);
  ASSERT_TRUE(followed.wait_until([&] { return followed.published > 0; }));
  EXPECT_EQ(followed.set.size(), 2U);
}

TEST(DockerFollower, AnEmptyEngineIsASetToo) {
  FakeEngine engine;
  engine.set(kWeb, "");
  Followed followed(engine);
  ASSERT_TRUE(followed.wait_until([&] { return followed.published > 0; }));
  EXPECT_TRUE(followed.set.empty());
  engine.set(kWeb, web_body());
  engine.send(event("start"));
  EXPECT_TRUE(followed.wait_for_state(State::kRunning));
}

TEST(DockerFollower, StopSignalTellsBeforeAnyInspection) {
  FakeEngine engine;
  Followed followed(engine);
  ASSERT_TRUE(followed.wait_for_state(State::kRunning));
  engine.send(kill_event(1) + kill_event(15));
  ASSERT_TRUE(followed.wait_for_state(State::kStopping));
  engine.send(event("die"));
  ASSERT_TRUE(followed.wait_for_state(State::kAway));
  EXPECT_EQ(engine.asked(kWeb).size(), 1U) << "these events say it all";
}

TEST(DockerFollower, ChangesAreInspected) {
  FakeEngine engine;
  Followed followed(engine);
  ASSERT_TRUE(followed.wait_for_state(State::kRunning));
  engine.set(kWeb, recorded("inspect_1.24_paused"));
  engine.send(event("pause"));
  ASSERT_TRUE(followed.wait_for_state(State::kPaused));
  engine.set(kWeb, with(web_body(), R"("Name":"/web")", R"("Name":"/other")"));
  engine.send(event("rename"));
  ASSERT_TRUE(followed.wait_until([&] { return followed.set.at(kWeb).name == "other"; }));
  engine.set(kWeb, "");
  engine.send(event("destroy"));
  EXPECT_TRUE(followed.wait_until([&] { return followed.set.empty(); }));
}

TEST(DockerFollower, EventsOfEveryFraming) {
  FakeEngine engine;
  Followed followed(engine);
  ASSERT_TRUE(followed.wait_for_state(State::kRunning));
  const auto modern = with(kill_event(15), R"("status":"kill","id":")" + kWeb + R"(",)", "");
  engine.send("\x1e" + modern.substr(0, 70));
  engine.send(modern.substr(70) + "\x1e" + recorded("events_1.20"));
  EXPECT_TRUE(followed.wait_for_state(State::kStopping));
  EXPECT_TRUE(followed.wait_until([&] { return followed.follower.status().events == 11; }));
}

TEST(DockerFollower, SlowInspectionDoesNotOvertakeADeath) {
  FakeEngine engine;
  Followed followed(engine);
  ASSERT_TRUE(followed.wait_for_state(State::kRunning));
  std::promise<void> away_published;
  std::atomic<bool> first = true;
  followed.on_publish = [&] {
    if (followed.state_of(kWeb) == State::kAway && first.exchange(false))
      away_published.set_value();
  };
  // The engine answers as of before the death, after we have heard of it.
  std::atomic<int> inspections = 0;
  engine.on_request = [&](const std::string& path) {
    if (path.find(kWeb) == std::string::npos || ++inspections != 1) return;
    engine.send(event("die"));
    away_published.get_future().wait_for(20s);
  };
  engine.send(event("rename"));
  ASSERT_TRUE(followed.wait_for_state(State::kAway));
  engine.set(kWeb, away_body());
  ASSERT_TRUE(followed.wait_until([&] { return inspections >= 2; }));
  engine.send(event("start", kSecond));  // answered after all of the above
  ASSERT_TRUE(followed.wait_until([&] { return engine.asked(kSecond).size() == 1; }));
  EXPECT_EQ(followed.states, (std::vector<std::optional<State>>{State::kRunning, State::kAway}));
}

TEST(DockerFollower, IgnoredStopSignalIsForgottenAtALaterListing) {
  FakeEngine engine;
  Followed followed(engine, {.list = 50ms, .signal_ignored = 200ms});
  ASSERT_TRUE(followed.wait_for_state(State::kRunning));
  const auto sent = Clock::now();
  engine.send(kill_event(15));
  ASSERT_TRUE(followed.wait_for_state(State::kStopping));
  ASSERT_TRUE(followed.wait_for_state(State::kRunning));
  EXPECT_GE(Clock::now() - sent, 200ms);
}

TEST(DockerFollower, ListingsMakeGoodWhatNoEventTold) {
  FakeEngine engine;
  Followed followed(engine, {.list = 50ms, .signal_ignored = 60s});
  ASSERT_TRUE(followed.wait_for_state(State::kRunning));
  engine.set(kWeb, "");
  engine.set(kSecond, second_body());
  EXPECT_TRUE(followed.wait_until(
      [&] { return followed.set.size() == 1 && followed.set.contains(kSecond); }));
  EXPECT_EQ(engine.asked("/events").size(), 1U) << "while the stream goes on";
}

}  // namespace
}  // namespace ambbpf::test
