// SPDX-License-Identifier: Apache-2.0
// The Docker Engine goes away and comes back.
#include <fstream>

#include "tests/integration/registration.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

class RegisterOutages : public Registration {
 protected:
  Words web(const Words& more = {}) const {
    return advertising(Words{"web-1", "80", "web"} + more);
  }
  // Ends when there is a file "end" in `place`.
  void run_until_told() const {
    engine.must({"run", "--detach", "--name", "web-1", "-p", "80", "--volume",
                 place.path().string() + ":/place", DockerEngine::kImage, "sh", "-c",
                 "until test -e /place/end; do sleep 0.1; done; touch /place/ended"});
  }
};

TEST_F(RegisterOutages, ARestartOfTheEngineIsNotAContainers) {
  engine.stop();
  engine.start({.live_restore = true});
  run_container("web-1");
  const auto wanted = value_of("web-1");
  Program registrar(web());
  ASSERT_TRUE(becomes(kKey, wanted)) << registrar.err();
  {
    // Not so soon that the registrar, between two tries, would not notice.
    auto restarting = in_background([&] {
      engine.stop();
      const bool noticed = registrar.says("cannot be followed");
      engine.start();
      return noticed;
    });
    EXPECT_TRUE(stays(kKey, wanted, [&] {
      return restarting.wait_for(0s) == std::future_status::ready;
    })) << registrar.err();
    ASSERT_TRUE(restarting.get()) << registrar.err();
  }
  ASSERT_TRUE(registrar.says("again")) << registrar.err();
  EXPECT_TRUE(stays(kKey, wanted, after(2s))) << registrar.err();
  engine.must({"kill", "web-1"});
  EXPECT_TRUE(goes(kKey)) << "not followed any more: " << registrar.err();
}

TEST_F(RegisterOutages, TheKeyIsKeptWhileTheEngineIsAway) {
  engine.stop();
  engine.start({.live_restore = true});
  run_container("web-1");
  const auto wanted = value_of("web-1");
  Program registrar(web({"--ttl", "2s"}));
  ASSERT_TRUE(becomes(kKey, wanted)) << registrar.err();
  engine.kill();
  EXPECT_TRUE(stays(kKey, wanted, after(5s))) << registrar.err();
  engine.start();
  EXPECT_TRUE(stays(kKey, wanted, after(2s))) << registrar.err();
}

TEST_F(RegisterOutages, ContainersThatStopWithTheEngineAreGoneUntilTheyAreStarted) {
  run_container("web-1");
  Program registrar(web({"--ttl", "60s"}));
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  engine.stop();
  engine.start();
  EXPECT_TRUE(goes(kKey)) << registrar.err();
  engine.must({"start", "web-1"});
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
}

TEST_F(RegisterOutages, WhatEndedUnseenIsRemovedWhenTheEngineIsBack) {
  engine.stop();
  engine.start({.live_restore = true});
  run_until_told();
  Program registrar(web({"--ttl", "60s"}));
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  engine.kill();
  std::ofstream(place.path() / "end");
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(place.path() / "ended"); }));
  EXPECT_NE(value(kKey), "");
  engine.start();
  EXPECT_TRUE(goes(kKey)) << registrar.err();
}

TEST_F(RegisterOutages, AnEngineThatIsStartedLaterIsFound) {
  engine.stop();
  Program registrar(web());
  ASSERT_TRUE(registrar.says(engine.socket())) << registrar.err();
  engine.start();
  run_container("web-1");
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
}

}  // namespace
}  // namespace ambbpf::test
