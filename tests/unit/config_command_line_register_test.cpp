// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/command_lines.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

std::string refusal(const std::vector<const char*>& words) {
  const auto command = parse(words);
  return command ? "none" : command.error().message();
}

TEST(RegisterOptions, TakesTheArgumentsOfDockerRegister) {
  const auto options = parsed<RegisterOptions>(
      {"register", "apache.service", "80", "apache-A", "weight=3", "zone=n=y"});
  ASSERT_TRUE(options.settings.registrations.at(0).only);
  EXPECT_EQ(options.settings.registrations.at(0).only->container, "apache.service");
  EXPECT_EQ(options.settings.registrations.at(0).only->port, 80);
  EXPECT_EQ(options.settings.registrations.at(0).only->service, "apache-A");
  EXPECT_EQ(options.settings.registrations.at(0).only->attributes,
            (EndpointAttributes{{"weight", "3"}, {"zone", "n=y"}}));
}

TEST(RegisterOptions, DefaultsAreThoseOfTheManual) {
  const auto options = parsed<RegisterOptions>({"register", "--all"});
  EXPECT_FALSE(options.settings.registrations.at(0).only);
  EXPECT_EQ(options.settings.registrations.at(0).ttl, 5s);
  EXPECT_EQ(options.settings.dockers.at(0).address.name, "unix:///var/run/docker.sock");
  EXPECT_EQ(options.settings.dockers.at(0).address.access.unix_socket, "/var/run/docker.sock");
  EXPECT_EQ(options.settings.etcds.at(0).api, EtcdApi::kAuto);
  EXPECT_EQ(options.settings.etcds.at(0).options.prefix, "/services");
  EXPECT_FALSE(options.settings.registrations.at(0).advertise);
  EXPECT_FALSE(options.settings.registrations.at(0).ignore_health);
}

TEST(RegisterOptions, EverythingCanBeSet) {
  const auto options = parsed<RegisterOptions>(
      {"register", "--all", "--docker", "tcp://127.0.0.1:2375", "--etcd", "http://127.0.0.1:4001",
       "--etcd-api", "v2", "--prefix", "/a", "--ttl", "1m", "--advertise", "fd00::1",
       "--ignore-health", "--admin", "/tmp/x.sock", "--log-level", "debug"});
  EXPECT_EQ(options.settings.dockers.at(0).address.url, "http://127.0.0.1:2375");
  EXPECT_EQ(options.settings.etcds.at(0).options.urls,
            std::vector<std::string>{"http://127.0.0.1:4001"});
  EXPECT_EQ(options.settings.etcds.at(0).api, EtcdApi::kV2);
  EXPECT_EQ(options.settings.etcds.at(0).options.prefix, "/a");
  EXPECT_EQ(options.settings.registrations.at(0).ttl, 60s);
  EXPECT_EQ(options.settings.registrations.at(0).advertise->to_string(), "fd00::1");
  EXPECT_TRUE(options.settings.registrations.at(0).ignore_health);
  EXPECT_EQ(options.settings.process.admin, "/tmp/x.sock");
  EXPECT_EQ(options.settings.process.log_level, "debug");
}

TEST(RegisterOptions, TheEnvironmentCounts) {
  const Environment docker("DOCKER_HOST", "tcp://10.0.0.1:2375");
  const Environment coreos("COREOS_PRIVATE_IPV4", "10.0.0.7");
  auto options = parsed<RegisterOptions>({"register", "--all"});
  EXPECT_EQ(options.settings.dockers.at(0).address.url, "http://10.0.0.1:2375");
  EXPECT_EQ(options.settings.registrations.at(0).advertise->to_string(), "10.0.0.7");
  options = parsed<RegisterOptions>({"register", "--all", "--advertise", "10.0.0.8"});
  EXPECT_EQ(options.settings.registrations.at(0).advertise->to_string(), "10.0.0.8");
}

TEST(RegisterOptions, RefusalsNameWhatIsWrong) {
  EXPECT_EQ(refusal({"register"}), "register takes CONTAINER PORT SERVICE, or --all");
  EXPECT_EQ(refusal({"register", "web", "80"}), "register takes CONTAINER PORT SERVICE, or --all");
  EXPECT_EQ(refusal({"register", "--all", "web", "80", "www"}),
            "--all and CONTAINER 'web' exclude each other");
  EXPECT_EQ(refusal({"register", "a/b", "80", "www"}),
            "CONTAINER 'a/b' is no name or id of a container");
  EXPECT_EQ(refusal({"register", "web", "80", "www", "zone"}), "attribute 'zone' is not KEY=VALUE");
  EXPECT_EQ(refusal({"register", "web", "80", "www", "port=1"}),
            "attribute port: the value has that field already");
  EXPECT_EQ(refusal({"register", "web", "80", "www", "a=1", "a=2"}),
            "attribute a: the value has that field already");
  EXPECT_EQ(refusal({"register", "--all", "--ttl", "1500ms"}),
            "--ttl: etcd takes whole seconds, at least one");
  EXPECT_EQ(refusal({"register", "--all", "--advertise", "0.0.0.0"}),
            "--advertise: '0.0.0.0' is not the address of a machine");
  EXPECT_NE(refusal({"register", "web", "http", "www"}).find("PORT"), std::string::npos);
  EXPECT_NE(refusal({"register", "--all", "--docker", "ftp://x"}).find("--docker: "),
            std::string::npos);
  EXPECT_NE(refusal({"register", "--all", "--docker", "tcp://10.0.0.1", "--docker-ca", "/no/ca"})
                .find("--docker-ca: /no/ca: No such file"),
            std::string::npos);
}

TEST(ProxySources, AreEtcdDockerOrBoth) {
  const auto sources = [](std::vector<const char*> more) {
    more.insert(more.begin(), {"proxy", "web", "80"});
    return parsed<ProxyOptions>(more).settings.services.at(0).sources;
  };
  const SourceSettings etcd{
      .etcd = {"etcd"}, .docker = {}, .forward = {}, .srv = {}, .endpoints = {}};
  const SourceSettings docker{
      .etcd = {}, .docker = {"docker"}, .forward = {}, .srv = {}, .endpoints = {}};
  auto both = etcd;
  both.docker = docker.docker;
  EXPECT_EQ(sources({}), etcd);
  EXPECT_EQ(sources({"--source", "docker"}), docker);
  EXPECT_EQ(sources({"--source", "etcd,docker"}), both);
  EXPECT_EQ(sources({"--source", "docker,etcd"}), both);
  EXPECT_EQ(refusal({"proxy", "web", "80", "--source", "consul"}),
            "--source: 'consul' is neither etcd nor docker");
  EXPECT_EQ(refusal({"proxy", "web", "80", "--source", ","}),
            "--source: '' is neither etcd nor docker");
}

}  // namespace
}  // namespace ambbpf::test
