// SPDX-License-Identifier: Apache-2.0
// Host names in values of etcd, with a real etcd and a real DNS server.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/asio/ip/udp.hpp>

#include "tests/integration/etcd_follow.h"
#include "tests/support/dns_server.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

class NamesInEtcd : public testing::TestWithParam<EtcdApi> {
 protected:
  NamesInEtcd() : web(GetParam(), options_for({etcd.url()})) {
    web.resolver().use_servers({dns.address()});
  }

  EtcdProcess etcd;
  const Keys keys{etcd, GetParam()};
  DnsServer dns;
  Follow web;
};

TEST_P(NamesInEtcd, AreAllTheirAddressesWithTheValuesAttributes) {
  dns.hosts({"127.0.0.2 db.example", "127.0.0.3 db.example"});
  keys.put("/services/web/a", R"({"host":"db.example","port":80,"weight":3})");
  keys.put("/services/web/b", "10.0.0.1:80");
  ASSERT_TRUE(web.until_set_is({"127.0.0.2:80", "127.0.0.3:80", "10.0.0.1:80"}));
  EXPECT_EQ(web.publications(), 1U) << "without the names";
  EXPECT_EQ(web.last()[0].found_as, "db.example:80 of /services/web/a");
  EXPECT_EQ(web.last()[0].attributes, (EndpointAttributes{{"weight", "3"}}));
  EXPECT_TRUE(web.status().rejected.empty());
  dns.hosts({"127.0.0.4 db.example"});
  EXPECT_TRUE(web.until_set_is({"127.0.0.4:80", "10.0.0.1:80"}));
  keys.put("/services/web/a", "other.example:81");
  dns.hosts({"127.0.0.5 other.example"});
  EXPECT_TRUE(web.until_set_is({"127.0.0.5:81", "10.0.0.1:80"}));
}

TEST_P(NamesInEtcd, ThatDoNotResolveAreNamedAndHarmNoOther) {
  keys.put("/services/web/a", "none.example:80");
  keys.put("/services/web/b", "10.0.0.1:80");
  ASSERT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  ASSERT_TRUE(web.until([&] { return !web.status().rejected.empty(); }));
  EXPECT_EQ(web.status().rejected.at(0),
            (RejectedValue{"/services/web/a", "resolve none.example: there is no such name"}));
  EXPECT_EQ(web.status().rejected_total, 1U);
  keys.put("/services/web/b", "10.0.0.2:80");
  ASSERT_TRUE(web.until_set_is({"10.0.0.2:80"}));
  dns.hosts({"127.0.0.2 none.example"});
  ASSERT_TRUE(web.until_set_is({"127.0.0.2:80", "10.0.0.2:80"}));
  EXPECT_TRUE(web.status().rejected.empty());
}

TEST_P(NamesInEtcd, KeepTheirLastAddressesWhileNobodyAnswers) {
  dns.hosts({"127.0.0.2 db.example"});
  keys.put("/services/web/a", "db.example:80");
  ASSERT_TRUE(web.until_set_is({"127.0.0.2:80"}));
  dns.stop();
  ASSERT_TRUE(web.until([&] { return !web.status().rejected.empty(); }));
  EXPECT_NE(web.status().rejected[0].reason.find("; its last addresses stay in force"),
            std::string::npos);
  web.turn_for(1s);
  EXPECT_EQ(web.set(), Set{"127.0.0.2:80"});
  dns.start();
  EXPECT_TRUE(web.until([&] { return web.status().rejected.empty(); }));
}

TEST_P(NamesInEtcd, AreAskedForNoLongerWhenTheirKeysGo) {
  dns.hosts({"127.0.0.2 db.example"});
  keys.put("/services/web/a", "db.example:80");
  keys.put("/services/web/b", "none.example:80");
  ASSERT_TRUE(web.until_set_is({"127.0.0.2:80"}));
  keys.remove("/services/web/a");
  keys.remove("/services/web/b");
  ASSERT_TRUE(web.until_set_is({}));
  ASSERT_TRUE(web.until([&] { return web.status().rejected.empty(); }));
  web.turn_for(100ms);  // what is under way
  const auto questions = web.resolver().questions();
  web.turn_for(3s);
  EXPECT_EQ(web.resolver().questions(), questions);
}

TEST_P(NamesInEtcd, AreAskedForOnceHoweverManyKeysHaveThem) {
  DnsServer slow(/*ttl=*/3600);
  slow.hosts({"127.0.0.2 db.example"});
  web.resolver().use_servers({slow.address()});
  Set wanted;
  for (int port = 1; port <= 300; ++port) {
    keys.put(fmt::format("/services/web/{}", port), fmt::format("db.example:{}", port));
    wanted.insert(fmt::format("127.0.0.2:{}", port));
  }
  ASSERT_TRUE(web.until_set_is(wanted));
  EXPECT_EQ(web.resolver().questions(), 1U);
}

TEST_P(NamesInEtcd, WaitForNoNameThatNobodyAnswersFor) {
  asio::io_context io;
  asio::ip::udp::socket silent(io, {asio::ip::address_v4::loopback(), 0});
  web.resolver().use_servers({{silent.local_endpoint().address(), silent.local_endpoint().port()}});
  keys.put("/services/web/a", "db.example:80");
  keys.put("/services/web/b", "10.0.0.1:80");
  EXPECT_TRUE(web.until_set_is({"10.0.0.1:80"}));
  EXPECT_TRUE(web.status().rejected.empty()) << "it is not known yet";
}

INSTANTIATE_TEST_SUITE_P(Api, NamesInEtcd, testing::Values(EtcdApi::kV2, EtcdApi::kV3),
                         [](const auto& api) { return api.param == EtcdApi::kV2 ? "V2" : "V3"; });

}  // namespace
}  // namespace ambbpf::test
