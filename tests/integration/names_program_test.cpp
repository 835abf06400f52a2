// SPDX-License-Identifier: Apache-2.0
// The program with a real DNS server.
#include <fmt/format.h>

#include <set>

#include "tests/integration/program_reload.h"
#include "tests/support/dns_server.h"

namespace ambbpf::test {
namespace {

tcp::endpoint at(const std::string& host, unsigned short port) {
  return {asio::ip::make_address(host), port};
}

class ProgramNames : public RunByFile {
 protected:
  std::string config(const std::string& more) const {
    return fmt::format("dns_servers = [\"{}\"]\n{}", to_string(dns.address()), more);
  }
  std::string forward_to(const std::string& name) const {
    return fmt::format("[service.web]\nlisten = \"{}\"\nforward = \"{}:{}\"\n", to_string(front),
                       name, port);
  }
  // Whoever answers, of so many connections.
  std::set<std::string> answers(int connections = 10) const {
    std::set<std::string> all;
    for (int i = 0; i < connections; ++i) all.insert(ask(front));
    return all;
  }

  using Names = std::set<std::string>;

  const unsigned short port = free_port();
  const tcp::endpoint front = free_address();
  DnsServer dns;
};

TEST_F(ProgramNames, AreFollowedWithAllTheirAddresses) {
  NamedBackend two("two", at("127.0.0.2", port));
  NamedBackend three("three", at("127.0.0.3", port));
  NamedBackend four("four", at("127.0.0.4", port));
  dns.hosts({"127.0.0.2 web.example", "127.0.0.3 web.example"});
  write(config(forward_to("web.example")));
  Program ambassador(by_file());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_EQ(answers(), (Names{"two", "three"}));
  dns.hosts({"127.0.0.4 web.example"});
  EXPECT_TRUE(eventually([&] { return answers() == Names{"four"}; }));
  const auto why = run({"why", "web", "--admin", admin()});
  EXPECT_NE(why.out.find("web.example:"), std::string::npos) << why.out;
}

TEST_F(ProgramNames, StayWhereTheyWereWhileNobodyAnswersAndStatusSaysSo) {
  NamedBackend two("two", at("127.0.0.2", port));
  dns.hosts({"127.0.0.2 web.example"});
  write(config(forward_to("web.example")));
  Program ambassador(by_file());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  ASSERT_EQ(ask(front), "two");
  dns.stop();
  ASSERT_TRUE(ambassador.says("resolve web.example: ")) << ambassador.err();
  EXPECT_EQ(answers(), Names{"two"});
  const auto source = status_of("web").sources.at(0);
  EXPECT_EQ(source.state, "failing");
  EXPECT_EQ(source.endpoints, 1U);
  const auto said = run({"status", "--admin", admin()}).out;
  EXPECT_NE(said.find(fmt::format("service web: name web.example:{} fails", port)),
            std::string::npos)
      << said;
  dns.start();
  EXPECT_TRUE(ambassador.says("web.example resolves again")) << ambassador.err();
}

TEST_F(ProgramNames, OfSrvRecordsAreTakenByTheirPriority) {
  const auto other_port = free_port();
  NamedBackend first("first", at("127.0.0.2", port));
  NamedBackend second("second", at("127.0.0.3", other_port));
  dns.hosts({"127.0.0.2 one.example", "127.0.0.3 two.example"});
  dns.start({fmt::format("--srv-host=_web._tcp.example,one.example,{},1,5", port),
             fmt::format("--srv-host=_web._tcp.example,two.example,{},2,0", other_port)});
  write(config(fmt::format("[service.web]\nlisten = \"{}\"\nsrv = \"_web._tcp.example\"\n",
                           to_string(front))));
  Program ambassador(by_file());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_EQ(answers(), Names{"first"});
  const auto service = status_of("web");
  ASSERT_EQ(service.endpoints.size(), 2U);
  EXPECT_EQ(service.endpoints[0].found_as, fmt::format("_web._tcp.example one.example:{}", port));
  const auto drained =
      run({"drain", "web", fmt::format("one.example:{}", port), "--admin", admin()});
  EXPECT_EQ(drained.code, 0) << drained.err;
  EXPECT_EQ(answers(), Names{"second"});
}

TEST_F(ProgramNames, AreAskedOfOtherServersAfterAReload) {
  NamedBackend two("two", at("127.0.0.2", port));
  NamedBackend three("three", at("127.0.0.3", port));
  dns.hosts({"127.0.0.2 web.example"});
  write(config(forward_to("web.example")));
  Program ambassador(by_file());
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  ASSERT_EQ(ask(front), "two");
  DnsServer other;
  other.hosts({"127.0.0.3 web.example"});
  dns.stop();
  const auto told = reload(fmt::format("dns_servers = \"{}\"\n{}", to_string(other.address()),
                                       forward_to("web.example")));
  EXPECT_EQ(told.code, 0) << told.err;
  EXPECT_TRUE(eventually([&] { return answers() == Names{"three"}; }));
}

}  // namespace
}  // namespace ambbpf::test
