// SPDX-License-Identifier: Apache-2.0
// `ambbpf register --all`: every container that says so.
#include <csignal>
#include <set>

#include "tests/integration/registration.h"

namespace ambbpf::test {
namespace {

constexpr int kCrowd = 50;

class RegisterAll : public RegistrationInBoth {
 protected:
  Words all(const Words& more = {}) const { return advertising(Words{"--all"} + more); }
  std::string key(const std::string& service, const std::string& container,
                  const std::string& port = "80") const {
    return "/services/" + service + "/" + engine.name() + ":" + container + ":" + port;
  }
};

TEST_P(RegisterAll, FollowsContainersWithOurLabels) {
  run_container("before", {"-p", "80", "--label", "ambbpf.service=web", "--label", "ambbpf.port=80",
                           "--label", "ambbpf.tag.zone=nyc"});
  run_container("silent");
  Program registrar(all({"--ttl", "60s"}));
  EXPECT_TRUE(becomes(key("web", "before"), value_of("before", R"(,"zone":"nyc")")))
      << registrar.err();
  run_container("after", {"-p", "80", "--label", "ambbpf.service=web"});
  EXPECT_TRUE(becomes(key("web", "after"), value_of("after"))) << registrar.err();
  EXPECT_EQ(keys().size(), 2U);
  engine.must({"kill", "before"});
  EXPECT_TRUE(goes(key("web", "before"))) << registrar.err();
  registrar.signal(SIGTERM);
  EXPECT_EQ(registrar.wait(), 0);
  EXPECT_TRUE(keys().empty());
}

TEST_P(RegisterAll, FollowsContainersWithRegistratorsWords) {
  run_container("labels", {"-p", "80", "--label", "SERVICE_NAME=one"});
  run_container("variables", {"-p", "80", "--env", "SERVICE_NAME=two"});
  run_container("ports", {"-p", "80", "-p", "81", "--env", "SERVICE_80_NAME=three", "--env",
                          "SERVICE_81_NAME=four", "--env", "SERVICE_81_IGNORE=1"});
  run_container("ignored",
                {"-p", "80", "--label", "SERVICE_NAME=five", "--label", "SERVICE_IGNORE=true"});
  Program registrar(all());
  EXPECT_TRUE(becomes(key("one", "labels"), value_of("labels"))) << registrar.err();
  EXPECT_TRUE(becomes(key("two", "variables"), value_of("variables"))) << registrar.err();
  EXPECT_TRUE(becomes(key("three", "ports"), value_of("ports"))) << registrar.err();
  EXPECT_EQ(keys().size(), 3U);
}

TEST_P(RegisterAll, MalformedLabelsAreNamedAndHurtNobodyElse) {
  run_container("bad",
                {"-p", "80", "--label", "ambbpf.service=web", "--label", "ambbpf.port=eighty"});
  run_container("good", {"-p", "80", "--label", "ambbpf.service=web"});
  Program registrar(all());
  EXPECT_TRUE(becomes(key("web", "good"), value_of("good"))) << registrar.err();
  ASSERT_TRUE(registrar.says("eighty")) << registrar.err();
  EXPECT_NE(registrar.err().find("bad"), std::string::npos) << registrar.err();
  EXPECT_EQ(keys().size(), 1U);
}

TEST_P(RegisterAll, FiftyComeAtOnceAndGoAtOnce) {
  Program registrar(all({"--ttl", "60s"}));
  Words names;
  for (int i = 0; i < kCrowd; ++i) names.push_back("web-" + std::to_string(i));
  for (const auto& name : names)
    engine.must({"create", "--name", name, "-p", "80", "--label", "ambbpf.service=web",
                 DockerEngine::kImage});
  EXPECT_TRUE(keys().empty());
  engine.must(Words{"start"} + names);

  for (const auto& name : names)
    EXPECT_TRUE(becomes(key("web", name), value_of(name))) << name << registrar.err();
  EXPECT_EQ(keys().size(), static_cast<std::size_t>(kCrowd));
  engine.must(Words{"kill"} + names);
  EXPECT_TRUE(eventually([&] { return keys().empty(); })) << registrar.err();
}

TEST_P(RegisterAll, LeavesAloneWhatItDidNotWrite) {
  const auto elsewhere = "/services/web/another-host:web-1:80";
  const auto by_hand = "/services/web/web-1";
  for (const auto& others : {elsewhere, by_hand})
    api() == "v2" ? etcd.put_v2(others, "10.0.0.1:80") : etcd.put_v3(others, "10.0.0.1:80");
  run_container("web-1", {"-p", "80", "--label", "ambbpf.service=web"});
  Program registrar(all());
  ASSERT_TRUE(becomes(key("web", "web-1"), value_of("web-1"))) << registrar.err();
  engine.must({"rm", "--force", "web-1"});
  EXPECT_TRUE(goes(key("web", "web-1"))) << registrar.err();
  EXPECT_EQ(keys().size(), 2U);
  registrar.signal(SIGTERM);
  EXPECT_EQ(registrar.wait(), 0);
  EXPECT_EQ(keys().size(), 2U);
}

// A registrar was killed, and a container ended before the next one came: the TTL is no help for
// long. What another host's registrar wrote, and what another program wrote in this host's name,
// stays.
TEST_P(RegisterAll, RemovesWhatItOnceWroteAndNoLongerRuns) {
  const auto elsewhere = "/services/web/another-host:web-1:80";
  const auto value_elsewhere = R"({"port":80,"host":"10.0.0.9"})";
  const auto registrators = key("db", "web-1");
  run_container("gone", {"-p", "80", "--label", "ambbpf.service=web"});
  run_container("here", {"-p", "80", "--label", "ambbpf.service=web"});
  {
    Program killed(all({"--ttl", "600s"}));
    EXPECT_TRUE(becomes(key("web", "gone"), value_of("gone"))) << killed.err();
    EXPECT_TRUE(becomes(key("web", "here"), value_of("here"))) << killed.err();
  }
  if (api() == "v2") {
    etcd.put_v2(elsewhere, value_elsewhere, 600);
    etcd.put_v2(registrators, "10.0.0.1:80", 600);
  } else {
    etcd.put_v3(elsewhere, value_elsewhere, 600);
    etcd.put_v3(registrators, "10.0.0.1:80", 600);
  }
  engine.must({"kill", "gone"});
  const auto wanted = value_of("here");
  Program registrar(all({"--ttl", "600s"}));
  EXPECT_TRUE(stays(key("web", "here"), wanted, [&] { return value(key("web", "gone")).empty(); }))
      << registrar.err();
  EXPECT_EQ(value(elsewhere), value_elsewhere);
  EXPECT_EQ(value(registrators), "10.0.0.1:80");
  EXPECT_EQ(keys().size(), 3U);
}

TEST_P(RegisterAll, StatusTellsWhatIsRegistered) {
  run_container("web-1", {"-p", "80", "--label", "ambbpf.service=web"});
  Program registrar(all());
  const auto socket = admin();
  ASSERT_TRUE(becomes(key("web", "web-1"), value_of("web-1"))) << registrar.err();
  Ran status;
  EXPECT_TRUE(eventually([&] {
    status = run({"status", "--admin", socket});
    return status.out.find(key("web", "web-1")) != std::string::npos;
  })) << status.out
      << status.err;
  EXPECT_EQ(status.code, 0) << status.out;
  engine.stop();
  EXPECT_TRUE(eventually([&] {
    return run({"status", "--admin", socket}).code == 1;
  })) << "an engine that is away is no trouble";
}

INSTANTIATE_TEST_SUITE_P(Etcd, RegisterAll, testing::Values("v2", "v3"), name_of_api);

}  // namespace
}  // namespace ambbpf::test
