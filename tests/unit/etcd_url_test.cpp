// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <map>

#include "userspace/discovery/service_keys.h"
#include "userspace/etcd/directory.h"
#include "userspace/etcd/url.h"

namespace ambbpf {
namespace {

using Urls = std::vector<std::string>;

Urls urls(std::string_view list) { return parse_etcd_urls(list).value_or(Urls{}); }

std::string refused_urls(std::string_view list) {
  const auto urls = parse_etcd_urls(list);
  return urls ? "accepted" : urls.error().message();
}

Urls defaults(std::map<std::string, std::string> environment) {
  const auto getenv = [&](const char* name) -> const char* {
    const auto variable = environment.find(name);
    return variable == environment.end() ? nullptr : variable->second.c_str();
  };
  return default_etcd_urls(getenv).value_or(Urls{});
}

TEST(EtcdUrl, TakesOneOrSeveral) {
  EXPECT_EQ(urls("http://127.0.0.1:2379"), Urls{"http://127.0.0.1:2379"});
  EXPECT_EQ(urls("https://etcd-1.example:2379/,http://[fd00::1]:4001,http://etcd"),
            (Urls{"https://etcd-1.example:2379", "http://[fd00::1]:4001", "http://etcd"}));
}

TEST(EtcdUrl, SaysWhatIsWrong) {
  EXPECT_EQ(refused_urls(""), "etcd URL: '' does not begin with http:// or https://");
  EXPECT_EQ(refused_urls("127.0.0.1:2379"),
            "etcd URL: '127.0.0.1:2379' does not begin with http:// or https://");
  EXPECT_EQ(refused_urls("http://a,"), "etcd URL: '' does not begin with http:// or https://");
  EXPECT_EQ(refused_urls("ftp://a"), "etcd URL: 'ftp://a' does not begin with http:// or https://");
  EXPECT_EQ(refused_urls("http://a/v2"), "etcd URL: 'a/v2' is not host[:port]: there is more");
  EXPECT_EQ(refused_urls("http://a?x"), "etcd URL: 'a?x' is not host[:port]: there is more");
  EXPECT_EQ(refused_urls("http://"), "etcd URL: '' is not host[:port]: No host part in the URL");
}

TEST(EtcdUrl, PasswordsAreRefusedAndNotRepeated) {
  for (const auto* url :
       {"http://root:hunter2@etcd:2379", "root:hunter2@etcd", "http://etcd/hunter2@"}) {
    EXPECT_EQ(refused_urls(url), "etcd URL: user names and passwords in the URL are not supported");
  }
}

TEST(EtcdUrl, DefaultsAreTheBridgeAndThisMachine) {
  const Urls unlinked{"http://172.17.42.1:4001", "http://127.0.0.1:2379"};
  EXPECT_EQ(defaults({}), unlinked);
  EXPECT_EQ(defaults({{"ETCD_PORT_10000_TCP_ADDR", ""}, {"ETCD_PORT_10000_TCP_PORT", "1"}}),
            unlinked);
}

TEST(EtcdUrl, DockerLinkComesBeforeTheDefaults) {
  EXPECT_EQ(
      defaults({{"ETCD_PORT_10000_TCP_ADDR", "172.17.0.5"}, {"ETCD_PORT_10000_TCP_PORT", "10001"}}),
      Urls{"http://172.17.0.5:10001"});
  EXPECT_EQ(defaults({{"ETCD_PORT_10000_TCP_ADDR", "172.17.0.5"}}),
            Urls{"http://172.17.0.5:10000"});
  EXPECT_EQ(defaults({{"ETCD_PORT_10000_TCP_ADDR", "fd00::5"}}), Urls{"http://[fd00::5]:10000"});
  EXPECT_EQ(defaults({{"ETCD_PORT_10000_TCP_ADDR", "no host"}}), Urls{});
}

TEST(EtcdDirectory, JoinsWithSingleSlashes) {
  EXPECT_EQ(etcd_directory("/services", "web"), "/services/web");
  EXPECT_EQ(etcd_directory("services/", "/web/"), "/services/web");
  EXPECT_EQ(etcd_directory("//a//b/", "c//d"), "/a/b/c/d");
  EXPECT_EQ(etcd_directory("", "web"), "/web");
  EXPECT_EQ(etcd_directory("/", "web"), "/web");
}

const FollowedName::State* nothing_known(std::string_view) { return nullptr; }

TEST(ServiceKeys, OnlyDirectChildrenCount) {
  ServiceKeys keys("/services/web");
  keys.replace({{"/services/web/a", "10.0.0.1:1"},
                {"/services/web/b/c", "10.0.0.2:1"},
                {"/services/web/_h", "10.0.0.3:1"},
                {"/services/web/", "10.0.0.4:1"},
                {"/services/web", "10.0.0.5:1"},
                {"/services/webby/a", "10.0.0.6:1"},
                {"", "x"}});
  ASSERT_EQ(keys.endpoints(nothing_known).size(), 1U);
  EXPECT_EQ(keys.endpoints(nothing_known)[0].found_as, "/services/web/a");
  EXPECT_FALSE(keys.apply({"/services/webby", std::nullopt}));
  EXPECT_FALSE(keys.apply({"/services/web/b", "x"}) && keys.endpoints(nothing_known).size() != 1U);
  EXPECT_TRUE(keys.apply({"/services", std::nullopt}));
  EXPECT_TRUE(keys.endpoints(nothing_known).empty());
}

TEST(ServiceKeys, DeeperOnesAreCounted) {
  ServiceKeys keys("/services/web");
  keys.replace({{"/services/web/a/b", "10.0.0.1:1"}, {"/services/web/_h/b", "10.0.0.2:1"}});
  EXPECT_THAT(keys.deeper(), testing::ElementsAre("/services/web/a/b"));
  keys.apply({"/services/web/c/d/e", "10.0.0.3:1"});
  EXPECT_THAT(keys.deeper(), testing::ElementsAre("/services/web/a/b", "/services/web/c/d/e"));
  keys.apply({"/services/web/a", std::nullopt});
  EXPECT_THAT(keys.deeper(), testing::ElementsAre("/services/web/c/d/e"));
  keys.replace({});
  EXPECT_TRUE(keys.deeper().empty());
}

TEST(ServiceKeys, NamesStandForAllOfTheirAddresses) {
  ServiceKeys keys("/services/web");
  keys.replace({{"/services/web/a", "db.example:80"},
                {"/services/web/b", R"({"host":"db.example","port":81,"weight":3})"},
                {"/services/web/c", "gone.example:80"},
                {"/services/web/d", "new.example:80"},
                {"/services/web/e", "10.0.0.9:80"}});
  EXPECT_TRUE(keys.has_any());
  EXPECT_EQ(keys.names(),
            (std::set<std::string_view>{"db.example", "gone.example", "new.example"}));
  EXPECT_TRUE(keys.rejected().empty());
  EXPECT_EQ(keys.endpoints(nothing_known).size(), 1U);
  FollowedName::State db;
  db.answer.emplace().addresses = {asio::ip::make_address("10.0.0.1"),
                                   asio::ip::make_address("fd00::1")};
  FollowedName::State gone;
  gone.is_failing = true;
  gone.last_error = "resolve gone.example: there is no such name";
  const auto state_of = [&](std::string_view name) {
    return name == "db.example" ? &db : name == "gone.example" ? &gone : nullptr;
  };
  std::vector<std::string> found;
  for (const auto& endpoint : keys.endpoints(state_of))
    found.push_back(to_string(endpoint.address) + " " + endpoint.found_as);
  EXPECT_EQ(found, (std::vector<std::string>{"10.0.0.1:80 db.example:80 of /services/web/a",
                                             "[fd00::1]:80 db.example:80 of /services/web/a",
                                             "10.0.0.1:81 db.example:81 of /services/web/b",
                                             "[fd00::1]:81 db.example:81 of /services/web/b",
                                             "10.0.0.9:80 /services/web/e"}));
  EXPECT_EQ(keys.endpoints(state_of)[2].attributes, (EndpointAttributes{{"weight", "3"}}));
  ASSERT_EQ(keys.unresolved(state_of).size(), 1U);
  EXPECT_EQ(keys.unresolved(state_of)[0], (RejectedValue{"/services/web/c", gone.last_error}));
  db.is_failing = true;
  db.last_error = "resolve db.example: why";
  EXPECT_EQ(keys.unresolved(state_of)[0],
            (RejectedValue{"/services/web/a",
                           "resolve db.example: why; its last addresses stay in force"}));
}

TEST(ServiceKeys, RootDeletedIsAllDeleted) {
  ServiceKeys keys("/services/web");
  keys.replace({{"/services/web/a", "10.0.0.1:1"}});
  EXPECT_TRUE(keys.apply({"/", std::nullopt}));
  EXPECT_TRUE(keys.endpoints(nothing_known).empty());
}

}  // namespace
}  // namespace ambbpf
