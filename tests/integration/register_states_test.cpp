// SPDX-License-Identifier: Apache-2.0
// What a container goes through besides starting and ending, and what becomes of its key.
#include "tests/integration/registration.h"

namespace ambbpf::test {
namespace {

// Healthy while there is a file /well in it.
const Words kWithHealthCheck{
    "-p", "80", "--health-cmd", "test -e /well", "--health-interval", "1s", "--health-retries",
    "1"};

class RegisterStates : public Registration {
 protected:
  Words web(const Words& more = {}) const {
    return advertising(Words{"web-1", "80", "web"} + more);
  }
  bool health_is(const std::string& wanted) const {
    return inspect("web-1", ".State.Health.Status") == wanted;
  }
};

TEST_F(RegisterStates, OnlyAHealthyContainerHasAKey) {
  run_container("web-1", kWithHealthCheck);
  Program registrar(web({"--ttl", "60s"}));
  ASSERT_TRUE(registrar.says("web-1")) << registrar.err();
  EXPECT_TRUE(stays(kKey, "", [&] { return health_is("unhealthy"); })) << registrar.err();
  engine.must({"exec", "web-1", "touch", "/well"});
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  engine.must({"exec", "web-1", "rm", "/well"});
  EXPECT_TRUE(goes(kKey)) << registrar.err();
  EXPECT_TRUE(health_is("unhealthy"));
  engine.must({"exec", "web-1", "touch", "/well"});
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
}

TEST_F(RegisterStates, HealthCanBeIgnored) {
  run_container("web-1", kWithHealthCheck);
  Program registrar(web({"--ignore-health"}));
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  EXPECT_TRUE(stays(kKey, value_of("web-1"), [&] { return health_is("unhealthy"); }));
}

TEST_F(RegisterStates, APausedContainerHasNoKey) {
  run_container("web-1");
  Program registrar(web({"--ttl", "60s"}));
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  engine.must({"pause", "web-1"});
  EXPECT_TRUE(goes(kKey)) << registrar.err();
  engine.must({"unpause", "web-1"});
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
}

TEST_F(RegisterStates, TheNameDecidesWhichContainerItIs) {
  run_container("web-1");
  Program registrar(web({"--ttl", "60s"}));
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  engine.must({"rename", "web-1", "old"});
  EXPECT_TRUE(goes(kKey)) << registrar.err();
  run_container("new");
  engine.must({"rename", "new", "web-1"});
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
}

TEST_F(RegisterStates, AContainerThatWasReplacedIsRegisteredAgain) {
  run_container("web-1");
  Program registrar(web({"--ttl", "60s"}));
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  engine.must({"rm", "--force", "web-1"});
  run_container("web-1");
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
}

TEST_F(RegisterStates, OtherContainersChangeNothing) {
  run_container("web-1");
  Program registrar(web());
  ASSERT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
  const auto said = registrar.err();
  run_container("web-10");
  engine.must({"rm", "--force", "web-10"});
  engine.must({"kill", "web-1"});
  EXPECT_TRUE(goes(kKey)) << registrar.err();
  EXPECT_EQ(registrar.err().find("web-10"), std::string::npos) << registrar.err();
}

}  // namespace
}  // namespace ambbpf::test
