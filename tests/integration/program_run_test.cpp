// SPDX-License-Identifier: Apache-2.0
// The program at work, with a real etcd beside it.
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <csignal>

#include "tests/support/etcd_process.h"
#include "tests/support/free_port.h"
#include "tests/support/named_backend.h"
#include "tests/support/peers.h"
#include "tests/support/program.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

class ProgramRun : public testing::Test {
 protected:
  std::vector<std::string> proxy(const std::string& service, std::vector<std::string> more = {}) {
    std::vector<std::string> words{"proxy",    service,     std::to_string(front.port()),
                                   "--listen", "127.0.0.1", "--etcd",
                                   etcd.url(), "--admin",   admin()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::string admin() const { return (place.path() / "admin.sock").string(); }
  Ran status(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"status", "--admin", admin()};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }

  EtcdProcess etcd;
  TemporaryDirectory place;
  tcp::endpoint front = free_address();
};

TEST_F(ProgramRun, FollowsAServiceThatMoves) {
  NamedBackend one("one");
  NamedBackend two("two");
  etcd.put_v3("/services/web/web", registered(one.listener().address()));
  Program ambassador(proxy("web"));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_EQ(ask(front), "one");
  etcd.put_v3("/services/web/web", registered(two.listener().address()));
  EXPECT_TRUE(eventually([&] { return ask(front) == "two"; }));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask(front), "two");
}

TEST_F(ProgramRun, ServesAServiceFromEitherApi) {
  NamedBackend two("v2");
  NamedBackend three("v3");
  etcd.put_v2("/services/web/old", registered(two.listener().address()));
  etcd.put_v3("/services/web/new", registered(three.listener().address()));
  Program ambassador(proxy("web"));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  std::set<std::string> answers;
  EXPECT_TRUE(eventually([&] {
    answers.insert(ask(front));
    return answers.size() == 2;
  }));
}

TEST_F(ProgramRun, WithoutPrivilegesItServesOnSpliceAndSaysWhy) {
  NamedBackend one("one");
  etcd.put_v3("/services/web/web", registered(one.listener().address()));
  // A socket of nobody's: in a place that nobody may write to.
  std::filesystem::permissions(place.path(), std::filesystem::perms(0777));
  Program ambassador(proxy("web"), {.environment = {}, .privileged = false});
  ASSERT_TRUE(ambassador.says("engine splice,")) << ambassador.err();
  EXPECT_EQ(ask(front), "one");
  const auto said = ambassador.err();
  const auto why =
      said.find("engine sockmap cannot be used: load the kernel program stream_relay: ");
  ASSERT_NE(why, std::string::npos) << said;
  EXPECT_NE(said.substr(why, said.find('\n', why) - why).find("CAP_BPF"), std::string::npos)
      << said;
  EXPECT_NE(status().out.find("splice"), std::string::npos);
}

TEST_F(ProgramRun, StatusShowsWhatItDoes) {
  NamedBackend one("one");
  etcd.put_v3("/services/web/good", registered(one.listener().address()));
  etcd.put_v3("/services/web/bad", "nonsense");
  Program ambassador(proxy("web"));
  ASSERT_TRUE(ambassador.says("value rejected")) << ambassador.err();
  EXPECT_EQ(ask(front), "one");

  const auto text = status();
  EXPECT_EQ(text.code, 1) << "for the bad value: " << text.err;
  for (const auto& expected :
       {"web", "/services/web/good", "/services/web/bad", "etcd v3", "sockmap"})
    EXPECT_NE(text.out.find(expected), std::string::npos) << expected << " in\n" << text.out;

  const auto json = status({"--json"});
  rapidjson::Document document;
  ASSERT_FALSE(document.Parse(json.out.c_str()).HasParseError()) << json.out;
  const auto& service = document["processes"][0]["services"][0];
  EXPECT_STREQ(service["name"].GetString(), "web");
  EXPECT_EQ(service["endpoints"].Size(), 1U);
  EXPECT_EQ(service["connections_total"].GetUint64(), 1U);
}

TEST_F(ProgramRun, StatusIsDegradedWithoutAnEndpoint) {
  Program ambassador(proxy("web"));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_EQ(status().code, 1);
}

TEST_F(ProgramRun, KeepsServingWhileEtcdIsAway) {
  NamedBackend one("one");
  etcd.put_v3("/services/web/web", registered(one.listener().address()));
  Program ambassador(proxy("web"));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_EQ(ask(front), "one");
  etcd.kill();
  EXPECT_TRUE(eventually([&] { return status().code == 1; })) << "the failing source is not shown";
  EXPECT_EQ(ask(front), "one");
  etcd.start();
  EXPECT_TRUE(eventually([&] { return status().code == 0; })) << status().out;
}

TEST_F(ProgramRun, LetsOpenConnectionsFinishAfterSigterm) {
  Listener backend(loopback_v4());
  etcd.put_v3("/services/web/web", registered(backend.address()));
  Program ambassador(proxy("web"));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  Peer client = Peer::connect_to(front);
  Peer server = backend.accept();
  client.send("begun");
  EXPECT_EQ(server.read(5), "begun");

  ambassador.signal(SIGTERM);
  ASSERT_TRUE(ambassador.says("stopping; 1 open")) << ambassador.err();
  EXPECT_TRUE(eventually([&] { return is_refused(front); }));
  server.send_and_finish("finished");
  EXPECT_EQ(client.read_all(), "finished");
  client.finish();
  EXPECT_EQ(server.read_all(), "");
  EXPECT_EQ(ambassador.wait(), 0);
  EXPECT_FALSE(std::filesystem::exists(admin()));
}

TEST_F(ProgramRun, ResetsWhatIsStillOpenAtTheDeadline) {
  Listener backend(loopback_v4());
  etcd.put_v3("/services/web/web", registered(backend.address()));
  Program ambassador(proxy("web", {"--drain", "200ms"}));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  Peer client = Peer::connect_to(front);
  Peer server = backend.accept();
  client.send("begun");
  EXPECT_EQ(server.read(5), "begun");
  ambassador.signal(SIGTERM);
  EXPECT_EQ(ambassador.wait(), 0);
  EXPECT_EQ(client.read_until_end().error, std::errc::connection_reset);
  EXPECT_EQ(server.read_until_end().error, std::errc::connection_reset);
}

TEST_F(ProgramRun, ForwardServesAName) {
  NamedBackend one("one");
  const auto target = "localhost:" + std::to_string(one.listener().address().port());
  Program ambassador({"forward", target, "--listen", to_string(front), "--admin", admin()});
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_EQ(ask(front), "one");
}

TEST_F(ProgramRun, ManyServicesManyProcessesAndOneStatus) {
  NamedBackend one("one");
  NamedBackend two("two");
  etcd.put_v3("/services/web/web", registered(one.listener().address()));
  etcd.put_v3("/services/team/db/a", registered(two.listener().address()));
  const auto second = free_address();
  const ProgramSetting setting{.environment = {"XDG_RUNTIME_DIR=" + place.path().string()}};
  auto words = proxy("web");
  words.insert(words.begin() + 3, {"team/db", std::to_string(second.port())});
  words.erase(words.end() - 2, words.end());  // the default admin socket
  Program ambassador(words, setting);
  Program other(
      {"forward", to_string(one.listener().address()), "--listen", to_string(free_address())},
      setting);
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  ASSERT_TRUE(other.says("admin socket")) << other.err();
  EXPECT_EQ(ask(front), "one");
  EXPECT_EQ(ask(second), "two");
  const auto all = run({"status"}, setting);
  EXPECT_NE(all.out.find("team/db"), std::string::npos) << all.out << all.err;
  EXPECT_NE(all.out.find("forward"), std::string::npos) << all.out << all.err;
}

}  // namespace
}  // namespace ambbpf::test
