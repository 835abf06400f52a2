// SPDX-License-Identifier: Apache-2.0
// What a registrar says to input that is wrong, and what it waits for.
#include <algorithm>
#include <fstream>

#include "tests/integration/registration.h"

namespace ambbpf::test {
namespace {

void expect_one_line(const Words& words, const std::string& named) {
  const auto ran = run(words);
  EXPECT_EQ(ran.code, 2) << ran.err;
  EXPECT_NE(ran.err.find(named), std::string::npos) << ran.err;
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  EXPECT_EQ(ran.out, "");
}

TEST(RegisterStart, WrongOptionsExitWithTwoAndOneLine) {
  expect_one_line({"register"}, "CONTAINER");
  expect_one_line({"register", "web-1"}, "PORT");
  expect_one_line({"register", "web-1", "http", "web"}, "'http'");
  expect_one_line({"register", "web-1", "0", "web"}, "'0'");
  expect_one_line({"register", "web-1", "80", "web", "weight"}, "weight");
  expect_one_line({"register", "web-1", "80", "web", "--ttl", "soon"}, "soon");
  expect_one_line({"register", "web-1", "80", "web", "--advertise", "nowhere"}, "nowhere");
  expect_one_line({"register", "web-1", "80", "web", "--docker", "ftp://x"}, "ftp://x");
  expect_one_line({"register", "--all", "web-1", "80", "web"}, "--all");
  expect_one_line({"proxy", "web", "80", "--source", "dns"}, "dns");
}

class RegisterRefusals : public Registration {
 protected:
  Words web() const { return advertising({"web-1", "80", "web"}); }
};

TEST_F(RegisterRefusals, ASocketThatIsForbiddenIsNamed) {
  std::filesystem::permissions(place.path(), std::filesystem::perms(0777));  // the admin socket's
  Program registrar(web(), {.environment = {}, .privileged = false});
  ASSERT_TRUE(registrar.says(engine.socket())) << registrar.err();
  EXPECT_TRUE(registrar.says("Permission denied")) << registrar.err();
  EXPECT_TRUE(registrar.running());
}

TEST_F(RegisterRefusals, ASocketWhereNobodyAnswersHttpIsNamed) {
  auto words = web();
  const auto file = (place.path() / "no-socket").string();
  std::ofstream{file};
  std::replace(words.begin(), words.end(), engine.url(), "unix://" + file);
  Program registrar(words);
  EXPECT_TRUE(registrar.says(file)) << registrar.err();
  EXPECT_TRUE(registrar.running());
}

TEST_F(RegisterRefusals, AnEtcdThatIsAwayIsNamedAndWaitedFor) {
  run_container("web-1");
  etcd.kill();
  Program registrar(web());
  ASSERT_TRUE(registrar.says(etcd.url())) << registrar.err();
  EXPECT_TRUE(registrar.running());
  etcd.start();
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
}

class RegisterRefusedByEtcd : public Registration {
 protected:
  std::string api() const override { return "v2"; }
};

TEST_F(RegisterRefusedByEtcd, AKeyThatCannotBeWrittenIsNamedAndTriedAgain) {
  run_container("web-1");
  etcd.put_v2("/services/web", "a value where a directory should be");
  Program registrar(advertising({"web-1", "80", "web"}));
  ASSERT_TRUE(registrar.says(kKey)) << registrar.err();
  EXPECT_TRUE(registrar.says("Not a directory")) << registrar.err();
  etcd.remove_v2("/services/web");
  EXPECT_TRUE(becomes(kKey, value_of("web-1"))) << registrar.err();
}

}  // namespace
}  // namespace ambbpf::test
