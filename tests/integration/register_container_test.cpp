// SPDX-License-Identifier: Apache-2.0
// `ambbpf register CONTAINER PORT SERVICE`: a key in etcd for as long as the container serves.
#include <csignal>
#include <fstream>

#include "tests/integration/registration.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

class RegisterContainer : public RegistrationInBoth {
 protected:
  Words web(const Words& more = {}) const {
    return advertising(Words{"web-1", "80", "web"} + more);
  }
};

TEST_P(RegisterContainer, WaitsForOneThatDoesNotExistYet) {
  Program registrar(web());
  ASSERT_TRUE(registrar.says("web-1")) << registrar.err();
  EXPECT_EQ(value(kKey), "");
  run_container("web-1");
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << value(kKey) << registrar.err();
  EXPECT_EQ(keys().size(), 1U);
}

TEST_P(RegisterContainer, WritesAttributesAsOldRegistrarsDo) {
  run_container("web-1");
  Program registrar(web({"weight=3", "zone=nyc"}));
  EXPECT_TRUE(becomes(kKey, value_of("web-1", R"(,"weight":3,"zone":"nyc")"))) << value(kKey);
}

TEST_P(RegisterContainer, IsGoneWhileTheStoppedContainerStillServes) {
  run_container("web-1", {"-p", "80", "--hostname", "one", "--env", "LINGER=5"});
  const auto port = published("web-1");
  Program registrar(web());
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  const auto stopping = in_background([&] { engine.must({"stop", "web-1"}); });
  EXPECT_TRUE(goes(kKey)) << registrar.err();
  EXPECT_EQ(fetch(port), "one\n") << "the container ended before its key was gone";
}

TEST_P(RegisterContainer, IsGoneWhenTheContainerIsKilled) {
  run_container("web-1");
  Program registrar(web({"--ttl", "60s"}));
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  engine.must({"kill", "web-1"});
  EXPECT_TRUE(goes(kKey)) << registrar.err();
}

TEST_P(RegisterContainer, IsGoneWhenTheProgramInItEnds) {
  engine.must({"run", "--detach", "--name", "web-1", "-p", "80", "--volume",
               place.path().string() + ":/place", DockerEngine::kImage, "sh", "-c",
               "until test -e /place/end; do sleep 0.1; done"});
  Program registrar(web({"--ttl", "60s"}));
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  std::ofstream(place.path() / "end");
  EXPECT_TRUE(goes(kKey)) << registrar.err();
}

TEST_P(RegisterContainer, FollowsARestartToItsNewPort) {
  run_container("web-1");
  const auto before = value_of("web-1");
  Program registrar(web());
  ASSERT_TRUE(becomes(kKey, before)) << registrar.err();
  engine.must({"restart", "web-1"});
  const auto now = value_of("web-1");
  ASSERT_NE(now, before) << "Docker gave the same port again";
  EXPECT_TRUE(becomes(kKey, now)) << registrar.err();
}

TEST_P(RegisterContainer, IsGoneAtOnceAfterSigterm) {
  run_container("web-1");
  Program registrar(web({"--ttl", "60s"}));
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  registrar.signal(SIGTERM);
  EXPECT_EQ(registrar.wait(), 0) << registrar.err();
  EXPECT_EQ(value(kKey), "");
}

TEST_P(RegisterContainer, ExpiresWithTheRegistrarAndComesBackWithTheNext) {
  run_container("web-1");
  const auto wanted = value_of("web-1");
  {
    Program registrar(web({"--ttl", "2s"}));
    ASSERT_TRUE(becomes(kKey, wanted)) << registrar.err();
    EXPECT_TRUE(stays(kKey, wanted, after(5s))) << "not kept alive: " << registrar.err();
    registrar.signal(SIGKILL);
    registrar.wait();
  }
  EXPECT_TRUE(goes(kKey));
  Program next(web({"--ttl", "2s"}));
  EXPECT_TRUE(becomes(kKey, wanted)) << next.err();
}

TEST_P(RegisterContainer, IsTakenOverFromARegistrarThatWasKilled) {
  run_container("web-1");
  const auto wanted = value_of("web-1");
  Program killed(web({"--ttl", "3s"}));
  ASSERT_TRUE(becomes(kKey, wanted)) << killed.err();
  killed.signal(SIGKILL);
  killed.wait();
  Program next(web({"--ttl", "3s"}));
  // What the killed one wrote runs out in this time.
  EXPECT_TRUE(stays(kKey, wanted, after(5s))) << next.err();
}

TEST_P(RegisterContainer, StaysWhenTheFirstOfTwoRegistrarsLeaves) {
  run_container("web-1");
  const auto wanted = value_of("web-1");
  Program first(web());
  ASSERT_TRUE(becomes(kKey, wanted)) << first.err();
  Program second(web());
  ASSERT_TRUE(second.says(kKey)) << second.err();
  first.signal(SIGTERM);
  EXPECT_EQ(first.wait(), 0);
  EXPECT_TRUE(becomes(kKey, wanted)) << second.err();
  EXPECT_TRUE(stays(kKey, wanted, after(6s))) << second.err();
  second.signal(SIGTERM);
  EXPECT_EQ(second.wait(), 0);
  EXPECT_EQ(value(kKey), "");
}

TEST_P(RegisterContainer, TwoThatDisagreeDoNotFightAndOneStepsInForTheOther) {
  run_container("web-1");
  const auto firsts = value_of("web-1", "", "10.0.0.1");
  const auto seconds = value_of("web-1", "", "10.0.0.2");
  Program first(advertising({"web-1", "80", "web"}, "10.0.0.1"));
  ASSERT_TRUE(becomes(kKey, firsts)) << first.err();
  Program second(advertising({"web-1", "80", "web"}, "10.0.0.2"));
  ASSERT_TRUE(becomes(kKey, seconds)) << second.err();
  EXPECT_TRUE(stays(kKey, seconds, after(7s))) << first.err() << second.err();
  second.signal(SIGTERM);
  EXPECT_EQ(second.wait(), 0) << second.err();
  EXPECT_TRUE(becomes(kKey, firsts)) << first.err();
}

TEST_P(RegisterContainer, OutlastsARestartOfEtcd) {
  run_container("web-1");
  const auto wanted = value_of("web-1");
  Program registrar(web());
  ASSERT_TRUE(becomes(kKey, wanted)) << registrar.err();
  etcd.kill();
  etcd.start();
  // What was written before the restart runs out in this time.
  EXPECT_TRUE(stays(kKey, wanted, after(6s))) << registrar.err();
  engine.must({"kill", "web-1"});
  EXPECT_TRUE(goes(kKey)) << registrar.err();
}

TEST_P(RegisterContainer, IsWrittenAgainIntoAnEtcdThatLostEverything) {
  run_container("web-1");
  const auto wanted = value_of("web-1");
  Program registrar(web());
  ASSERT_TRUE(becomes(kKey, wanted)) << registrar.err();
  etcd.kill();
  etcd.wipe();
  etcd.start();
  EXPECT_TRUE(becomes(kKey, wanted)) << registrar.err();
}

TEST_P(RegisterContainer, WhatDiedWhileEtcdWasAwayIsGoneWhenItIsBack) {
  run_container("web-1");
  Program registrar(web({"--ttl", "60s"}));
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  etcd.kill();
  engine.must({"kill", "web-1"});
  etcd.start();
  EXPECT_TRUE(goes(kKey)) << registrar.err();
}

TEST_P(RegisterContainer, IsWrittenAgainWhenSomebodyRemovesIt) {
  run_container("web-1");
  const auto wanted = value_of("web-1");
  Program registrar(web());
  ASSERT_TRUE(becomes(kKey, wanted)) << registrar.err();
  api() == "v2" ? etcd.remove_v2(kKey) : etcd.remove_v3(kKey);
  EXPECT_TRUE(becomes(kKey, wanted)) << registrar.err();
}

INSTANTIATE_TEST_SUITE_P(Etcd, RegisterContainer, testing::Values("v2", "v3"), name_of_api);

}  // namespace
}  // namespace ambbpf::test
