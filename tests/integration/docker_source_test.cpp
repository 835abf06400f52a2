// SPDX-License-Identifier: Apache-2.0
// `ambbpf proxy --source docker`, and registrars and proxies of the old and the new kind together.
#include <rapidjson/document.h>

#include <atomic>
#include <set>
#include <thread>

#include "tests/integration/registration.h"
#include "tests/support/free_port.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

class DockerSource : public Registration {
 protected:
  std::string ask() const { return fetch(std::to_string(front.port())); }
  // Whether these, and only these, answer.
  bool answers_become(const std::set<std::string>& wanted) const {
    return eventually([&] {
      std::set<std::string> answers;
      for (int i = 0; i < 8; ++i) answers.insert(ask());
      return answers == wanted;
    });
  }
  void run_web(const std::string& name, const Words& more = {}) const {
    run_container(name, Words{"--hostname", name} + more);
  }
  Words from_docker(const std::string& sources) const {
    return proxy("web", front, {"--source", sources, "--docker", engine.url()});
  }

  const Words labelled{"--label", "ambbpf.service=web", "--label", "ambbpf.port=80"};
  tcp::endpoint front = free_address();
};

TEST_F(DockerSource, ContainersAreServedByTheirAddressWithoutEtcd) {
  etcd.kill();
  run_web("one", labelled);
  Program ambassador(from_docker("docker"));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_TRUE(answers_become({"one\n"})) << ambassador.err();
  run_web("two", labelled);
  run_web("other", {"--label", "ambbpf.service=other", "--label", "ambbpf.port=80"});
  EXPECT_TRUE(answers_become({"one\n", "two\n"})) << ambassador.err();
  const auto status = run({"status", "--json", "--admin", admin()});
  EXPECT_NE(status.out.find(inspect("two", ".NetworkSettings.IPAddress") + ":80"),
            std::string::npos)
      << status.out;
  engine.must({"kill", "one"});
  EXPECT_TRUE(answers_become({"two\n"})) << ambassador.err();
}

TEST_F(DockerSource, WhatIsToldToStopGetsNoNewConnections) {
  run_web("one", labelled + Words{"--env", "LINGER=5"});
  run_web("two", labelled);
  Program ambassador(from_docker("docker"));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_TRUE(answers_become({"one\n", "two\n"})) << ambassador.err();
  const auto stopping = in_background([&] { engine.must({"stop", "one"}); });
  EXPECT_TRUE(answers_become({"two\n"})) << ambassador.err();
  EXPECT_EQ(inspect("one", ".State.Running"), "true") << "it had ended before";
}

TEST_F(DockerSource, WithEtcdItIsTheUnionOfBoth) {
  run_web("one", labelled);
  run_web("two", {"-p", "80"});
  etcd.put_v3("/services/web/two", value_of("two"));
  Program ambassador(from_docker("etcd,docker") + Words{"--etcd", etcd.url()});
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_TRUE(answers_become({"one\n", "two\n"})) << ambassador.err();
  etcd.remove_v3("/services/web/two");
  EXPECT_TRUE(answers_become({"one\n"})) << ambassador.err();
  etcd.put_v3("/services/web/two", value_of("two"));
  engine.must({"kill", "one"});
  EXPECT_TRUE(answers_become({"two\n"})) << ambassador.err();
}

TEST_F(DockerSource, KeepsServingWhileTheEngineIsAway) {
  engine.stop();
  engine.start({.live_restore = true});
  run_web("one", labelled);
  Program ambassador(from_docker("docker"));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_TRUE(answers_become({"one\n"})) << ambassador.err();
  engine.kill();
  const auto status = [&] { return run({"status", "--admin", admin()}); };
  EXPECT_TRUE(eventually([&] { return status().code == 1; })) << status().out;
  EXPECT_EQ(ask(), "one\n");
  engine.start();
  EXPECT_TRUE(eventually([&] { return status().code == 0; })) << status().out;
  EXPECT_EQ(ask(), "one\n");
}

// Writes as docker-reg does: a plain SET each second, with a TTL of 5 s.
class OldRegistrar {
 public:
  OldRegistrar(const EtcdProcess& etcd, std::string key, std::string value)
      : writing_([this, &etcd, key = std::move(key), value = std::move(value)] {
          for (; !stopping_; ++beats_) {
            etcd.put_v2(key, value, 5);
            std::this_thread::sleep_for(1s);
          }
        }) {}
  ~OldRegistrar() {
    stopping_ = true;
    writing_.join();
  }
  OldRegistrar(const OldRegistrar&) = delete;
  OldRegistrar& operator=(const OldRegistrar&) = delete;
  int refreshes() const { return beats_; }

 private:
  std::atomic<bool> stopping_{false};
  std::atomic<int> beats_{0};
  std::thread writing_;
};

class OldAndNew : public DockerSource {
 protected:
  std::string api() const override { return "v2"; }
};

TEST_F(OldAndNew, AnOldRegistrarDrivesTheProxyWithoutChurn) {
  run_web("one", {"-p", "80"});
  const auto port = published("one");
  const OldRegistrar old(etcd, "/services/web/one",
                         R"({ "port": )" + port + R"(, "host": "127.0.0.1" })");
  Program ambassador(proxy("web", front, {"--etcd", etcd.url(), "--etcd-api", "v2"}));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  ASSERT_TRUE(answers_become({"one\n"})) << ambassador.err();

  const auto said = ambassador.err();
  const auto status = [&] {
    rapidjson::Document document;
    document.Parse(run({"status", "--json", "--admin", admin()}).out.c_str());
    return document;
  };
  const auto before = status();
  const auto& asked = before["processes"][0]["services"][0]["endpoints"][0]["connections_total"];
  unsigned asks = 0;
  for (const int refreshes = old.refreshes(); old.refreshes() < refreshes + 5; ++asks)
    ASSERT_EQ(ask(), "one\n");
  const auto then = status();
  const auto& service = then["processes"][0]["services"][0];
  EXPECT_GE(service["sources"][0]["events"].GetUint64(), 5U) << "the refreshes were not seen";
  ASSERT_EQ(service["endpoints"].Size(), 1U);
  const auto& endpoint = service["endpoints"][0];
  // Its counters would begin anew if it had been taken away and put back.
  EXPECT_EQ(endpoint["connections_total"].GetUint64(), asked.GetUint64() + asks);
  EXPECT_EQ(endpoint["failed_connects"].GetUint64(), 0U);
  EXPECT_EQ(ambassador.err(), said) << "lines for heartbeats";
}

TEST_F(OldAndNew, AnOldProxyReadsWhatWeWrite) {
  run_web("one", {"-p", "80"});
  Program registrar(advertising({"one", "80", "web", "weight=3"}));
  ASSERT_TRUE(eventually([&] { return !keys().empty(); })) << registrar.err();
  const auto [key, value] = *keys().begin();
  EXPECT_EQ(key, "/services/web/one") << "only direct children of the service are read";
  rapidjson::Document document;
  document.Parse(value.c_str());
  ASSERT_TRUE(document.IsObject()) << value;
  EXPECT_TRUE(document["host"].IsString()) << value;
  EXPECT_TRUE(document["port"].IsInt()) << value;
}

TEST_F(OldAndNew, AHeartbeatOfOursWakesNobody) {
  run_web("one", {"-p", "80"});
  Program registrar(advertising({"one", "80", "web", "--ttl", "2s"}));
  ASSERT_TRUE(becomes("/services/web/one", value_of("one"))) << registrar.err();
  Program ambassador(proxy("web", front, {"--etcd", etcd.url(), "--etcd-api", "v2"}));
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  ASSERT_TRUE(answers_become({"one\n"})) << ambassador.err();
  EXPECT_TRUE(stays("/services/web/one", value_of("one"), after(5s))) << registrar.err();
  const auto status = run({"status", "--json", "--admin", admin()});
  EXPECT_NE(status.out.find("\"events\":0"), std::string::npos) << status.out;
}

}  // namespace
}  // namespace ambbpf::test
