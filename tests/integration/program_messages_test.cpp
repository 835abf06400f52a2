// SPDX-License-Identifier: Apache-2.0
// What the running program tells the operator of what stands in his way.
#include <gtest/gtest.h>

#include "tests/support/etcd_process.h"
#include "tests/support/free_port.h"
#include "tests/support/own_network.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

class ProgramMessages : public testing::Test {
 protected:
  std::string admin() const { return (place.path() / "admin.sock").string(); }
  std::vector<std::string> proxy(const std::vector<std::string>& more) const {
    std::vector<std::string> words{
        "proxy", "web", std::to_string(front.port()), "--listen", "127.0.0.1", "--admin", admin()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  bool status_says(const std::string& text) const {
    return eventually([&] {
      const auto status = run({"status", "--admin", admin()});
      return status.out.find(text) != std::string::npos;
    });
  }

  TemporaryDirectory place;
  tcp::endpoint front = free_address();
};

// Where there is loopback only. A thread of its own, which alone is there.
template <class Story>
void in_own_network(Story story) {
  in_background([&] {
    enter_own_network({});
    story();
  }).get();
}

TEST_F(ProgramMessages, TheDefaultEtcdThatDoesNotAnswerIsToldOfOnce) {
  in_own_network([&] {
    auto words = proxy({});
    words.insert(words.begin() + 3, {"db", std::to_string(free_address().port())});
    Program ambassador(words);
    ASSERT_TRUE(ambassador.says("--etcd sets others")) << ambassador.err();
    const auto failing = [&] {
      const auto status = run({"status", "--json", "--admin", admin()});
      return times(status.out, "\"state\":\"failing\"");
    };
    ASSERT_TRUE(eventually([&] { return failing() == 4; })) << "two services, two APIs";
    const auto said = ambassador.err();
    EXPECT_EQ(times(said, " warn "), 1U) << said;
    EXPECT_NE(said.find("http://172.17.42.1:4001/"), std::string::npos) << said;
    EXPECT_NE(said.find("http://127.0.0.1:2379/"), std::string::npos) << said;
  });
}

TEST_F(ProgramMessages, AnEtcdThatWasNamedIsNotCalledTheDefault) {
  Program ambassador(proxy({"--etcd", "http://127.0.0.1:1"}));
  ASSERT_TRUE(ambassador.says("etcd cannot be followed: GET http://127.0.0.1:1/"))
      << ambassador.err();
  EXPECT_EQ(ambassador.err().find("--etcd"), std::string::npos) << ambassador.err();
}

TEST_F(ProgramMessages, AnApiThatIsNotServedIsToldOfOnce) {
  const EtcdProcess etcd({.enable_v2 = false});
  auto words = proxy({"--etcd", etcd.url()});
  words.insert(words.begin() + 3, {"db", std::to_string(free_address().port())});
  Program ambassador(words);
  ASSERT_TRUE(ambassador.says("etcd v2 is not served by " + etcd.url())) << ambassador.err();
  ASSERT_TRUE(eventually([&] {
    const auto status = run({"status", "--json", "--admin", admin()});
    return times(status.out, "\"state\":\"not served\"") == 2;
  }));
  EXPECT_EQ(times(ambassador.err(), "not served"), 1U) << ambassador.err();
}

TEST_F(ProgramMessages, ARegistrarThatWouldAdvertiseLoopbackWarns) {
  in_own_network([&] {
    Program registrar({"register", "--all", "--docker", "unix:///nosuch", "--etcd",
                       "http://127.0.0.1:1", "--admin", admin()});
    EXPECT_TRUE(registrar.says("would connect to itself: --advertise")) << registrar.err();
  });
}

TEST_F(ProgramMessages, KeysInTheWrongPlaceAreHintedAt) {
  const EtcdProcess etcd({.enable_v2 = true});
  Program ambassador(proxy({"--etcd", etcd.url()}));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  etcd.put_v2("/services/web/a/b", "127.0.0.1:1");
  EXPECT_TRUE(status_says("1 key deeper than one level is ignored: /services/web/a/b"));
  etcd.remove_v2("/services/web/a", true);
  etcd.put_v3("/services/web/c/d", "127.0.0.1:1");
  EXPECT_TRUE(status_says("1 key deeper than one level is ignored: /services/web/c/d"));
}

TEST_F(ProgramMessages, KeysWithoutTheSlashAreHintedAt) {
  const EtcdProcess etcd;
  etcd.put_v3("services/web/x", "127.0.0.1:1");
  Program ambassador(proxy({"--etcd", etcd.url()}));
  EXPECT_TRUE(status_says("a key without the slash before it is ignored: services/web/x"));
}

TEST_F(ProgramMessages, LinesHaveTheOptionsNamesForLevelsAndPlainText) {
  Program ambassador({"proxy",
                      "w\xc3\xa9"
                      "b",
                      std::to_string(front.port()), "--listen", "127.0.0.1", "--etcd",
                      "http://127.0.0.1:1", "--admin", admin()});
  ASSERT_TRUE(ambassador.says("cannot be followed")) << ambassador.err();
  const auto said = ambassador.err();
  EXPECT_NE(said.find(" info  proxy: service w\\xc3\\xa9"
                      "b on"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find(" warn  etcd cannot"), std::string::npos) << said;
  EXPECT_EQ(said.find("warning"), std::string::npos) << said;
}

TEST_F(ProgramMessages, ForwardNamesItsServiceByHostAndPort) {
  const Listener backend(loopback_v4());
  Program ambassador(
      {"forward", to_string(backend.address()), "--listen", to_string(front), "--admin", admin()});
  EXPECT_TRUE(ambassador.says("service " + to_string(backend.address()) + " on "))
      << ambassador.err();
}

TEST_F(ProgramMessages, ReloadNamesTheSocketThatNobodyIsBehind) {
  const auto ran = run({"reload", "--admin", admin()});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "ambbpf: admin socket " + admin() + ": connect: No such file or directory\n");
}

}  // namespace
}  // namespace ambbpf::test
