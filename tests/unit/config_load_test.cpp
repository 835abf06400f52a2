// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/config_files.h"
#include "userspace/config/setting.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

class ConfigurationFile : public ConfigurationFiles {};

TEST_F(ConfigurationFile, ProcessSettingsStandAtTheTop) {
  const auto process = load(
                           "engine = \"splice\"\nthreads = 3\ndrain = \"250ms\"\n"
                           "admin = \"/tmp/a.sock\"\nlog_level = \"debug\"\n"
                           "[service.a]\nlisten = \":1\"\nforward = \"b:2\"\n")
                           .process;
  EXPECT_EQ(process.engine, Engine::kSplice);
  EXPECT_EQ(process.threads, 3U);
  EXPECT_EQ(process.drain, 250ms);
  EXPECT_EQ(process.admin, "/tmp/a.sock");
  EXPECT_EQ(process.log_level, "debug");
}

TEST_F(ConfigurationFile, MetricsAreForThisHostUnlessAnAddressIsTold) {
  const std::string service = "[service.a]\nlisten = \":1\"\nforward = \"b:2\"\n";
  EXPECT_EQ(load(service).process.admin_listen, std::nullopt);
  const auto listen_of = [&](const std::string& text) {
    return to_string(
        load("admin_listen = \"" + text + "\"\n" + service).process.admin_listen.value());
  };
  EXPECT_EQ(listen_of(":9110"), "127.0.0.1:9110");
  EXPECT_EQ(listen_of("0.0.0.0:9110"), "0.0.0.0:9110");
  EXPECT_EQ(listen_of("[::1]:9110"), "[::1]:9110");
  const auto process = load(
                           "admin_names = [\"node1\", \"node1.example\"]\n"
                           "metrics_per_endpoint = false\n" +
                           service)
                           .process;
  EXPECT_EQ(process.admin_names, (std::vector<std::string>{"node1", "node1.example"}));
  EXPECT_FALSE(process.metrics_per_endpoint);
}

TEST_F(ConfigurationFile, NamesTheServersOfDns) {
  const auto settings = load(
      "dns_servers = [\"10.0.0.2\", \"127.0.0.1:5353\", \"[fd00::2]\"]\n"
      "[service.a]\nlisten = \":1\"\nsrv = [\"_a._tcp.example.org\", \"b.consul\"]\n");
  std::vector<std::string> servers;
  for (const auto& server : settings.process.dns_servers) servers.push_back(to_string(server));
  EXPECT_EQ(servers, (std::vector<std::string>{"10.0.0.2:53", "127.0.0.1:5353", "[fd00::2]:53"}));
  EXPECT_EQ(settings.services.at(0).sources.srv,
            (std::vector<SrvName>{{"_a._tcp.example.org"}, {"b.consul"}}));
  EXPECT_TRUE(settings.services[0].sources.etcd.empty());
}

TEST_F(ConfigurationFile, AServiceHasEverythingOfItsOwn) {
  const auto settings = load(
      "[etcd.main]\n[docker.local]\n[service.\"team/db\"]\n"
      "listen = [\"127.0.0.1:80\", \"[::1]:81\", \":82\"]\n"
      "source = [\"etcd.main\", \"docker.local\"]\nforward = \"b.example:2\"\n"
      "endpoints = [\"10.0.0.1:1\", {address = \"10.0.0.2:1\", weight = 2, zone = \"a\"}]\n"
      "policy = \"first\"\nconnect_timeout = \"2s\"\nretries = 0\nhold = \"1m\"\n"
      "max_connections = 7\npeer_timeout = \"5m\"\n");
  ASSERT_EQ(settings.services.size(), 1U);
  const auto& service = settings.services[0];
  EXPECT_EQ(service.name, "team/db");
  ASSERT_EQ(service.listen.size(), 3U);
  EXPECT_EQ(to_string(service.listen[0]), "127.0.0.1:80");
  EXPECT_EQ(to_string(service.listen[1]), "[::1]:81");
  EXPECT_TRUE(service.listen[2].address().is_unspecified());
  EXPECT_EQ(service.sources.etcd, std::vector<std::string>{"main"});
  EXPECT_EQ(service.sources.docker, std::vector<std::string>{"local"});
  EXPECT_EQ(service.sources.forward.at(0), (HostAndPort{"b.example", 2}));
  ASSERT_EQ(service.sources.endpoints.size(), 2U);
  EXPECT_EQ(service.sources.endpoints[1].attributes,
            (EndpointAttributes{{"weight", "2"}, {"zone", "a"}}));
  EXPECT_EQ(service.policy, "first");
  EXPECT_EQ(service.dial.connect_timeout, 2s);
  EXPECT_EQ(service.dial.retries, 0U);
  EXPECT_EQ(service.dial.hold, 60s);
  EXPECT_EQ(service.max_connections, 7U);
  EXPECT_EQ(service.keepalive.longest, 5min);
}

TEST_F(ConfigurationFile, WhatAServiceDoesNotSetIsTheDefault) {
  const auto services = load(
                            "[defaults]\nhold = \"7s\"\nretries = 9\nforward = \"a:1\"\n"
                            "[service.a]\nlisten = \":1\"\n"
                            "[service.b]\nlisten = \":2\"\nhold = \"1s\"\n"
                            "endpoints = [\"10.0.0.1:1\"]\n")
                            .services;
  ASSERT_EQ(services.size(), 2U);
  EXPECT_EQ(services[0].dial.hold, 7s);
  EXPECT_EQ(services[0].sources.forward.size(), 1U);
  EXPECT_EQ(services[1].dial.hold, 1s);
  EXPECT_EQ(services[1].dial.retries, 9U);
  EXPECT_TRUE(services[1].sources.forward.empty()) << "its own endpoints count instead";
}

TEST_F(ConfigurationFile, TheOnlyEtcdIsTheSourceOfAServiceWithoutOne) {
  const auto settings = load("[etcd.x]\n[service.a]\nlisten = \":1\"\n");
  EXPECT_EQ(settings.services.at(0).sources.etcd, std::vector<std::string>{"x"});
}

TEST_F(ConfigurationFile, ARegistrationOfAllUsesWhatIsThere) {
  const auto settings = load("[etcd.x]\n[register.all]\nttl = \"1m\"\n");
  ASSERT_EQ(settings.registrations.size(), 1U);
  EXPECT_EQ(settings.registrations[0].etcd, "x");
  EXPECT_EQ(settings.registrations[0].ttl, 60s);
  EXPECT_FALSE(settings.registrations[0].only);
  ASSERT_EQ(settings.dockers.size(), 1U);
  EXPECT_EQ(settings.registrations[0].docker, settings.dockers[0].name);
  EXPECT_EQ(settings.dockers[0].address, DockerAddress());
}

TEST_F(ConfigurationFile, ARegistrationOfOneContainerNamesItsPort) {
  const auto only = load(
                        "[etcd.x]\n[docker.d]\nhost = \"tcp://10.0.0.1:1\"\n"
                        "[register.r]\ncontainer = \"web-1\"\nport = 80\n"
                        "service = \"web\"\nattributes = {zone = \"a\"}\n")
                        .registrations.at(0)
                        .only;
  EXPECT_EQ(only, (NamedPort{"web-1", 80, "web", {{"zone", "a"}}}));
}

TEST_F(ConfigurationFile, IncludedFilesHaveTablesOfTheirOwn) {
  write("conf.d/1.toml", "[service.one]\nlisten = \":1\"\n");
  write("conf.d/2.toml", "[etcd.x]\n[service.two]\nlisten = \":2\"\n");
  const auto settings = load("include = [\"conf.d/*.toml\"]\n[defaults]\nhold = \"9s\"\n");
  ASSERT_EQ(settings.services.size(), 2U);
  EXPECT_EQ(settings.services[0].name, "one");
  EXPECT_EQ(settings.services[1].dial.hold, 9s);
  EXPECT_EQ(settings.services[0].sources.etcd, std::vector<std::string>{"x"});
}

TEST_F(ConfigurationFile, NamesAndCommentsMayHaveAnyLetters) {
  const auto settings = load(
      "\xef\xbb\xbf# f\xc3\xbcr 'alle\n[service.\"caf\xc3\xa9\"] # \"\nlisten = \":1\"\nforward = "
      "\"a:1\"\n");
  EXPECT_EQ(settings.services.at(0).name, "caf\xc3\xa9");
}

TEST_F(ConfigurationFile, ThereIsNoLimitToServices) {
  std::string text = "[etcd.x]\n";
  for (int i = 1; i <= 2000; ++i)
    text +=
        "[service.s" + std::to_string(i) + "]\nlisten = \"127.0.0.1:" + std::to_string(i) + "\"\n";
  const auto services = load(text).services;
  ASSERT_EQ(services.size(), 2000U);
  EXPECT_EQ(services[0].name, "s1") << "in the order of the file";
  EXPECT_EQ(services[1999].name, "s2000");
}

}  // namespace
}  // namespace ambbpf::test
