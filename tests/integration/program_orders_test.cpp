// SPDX-License-Identifier: Apache-2.0
// What operators order by hand of the built program: drain, enable, reset, set weight.
#include <gmock/gmock.h>

#include <algorithm>
#include <memory>

#include "tests/integration/program_reload.h"

namespace ambbpf::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ProgramOrders : public RunByFile {
 protected:
  // Of service `web`, whose endpoints are `one` and `two`.
  std::string web(const std::string& more = "") const {
    return fmt::format("[service.web]\nlisten = \"{}\"\nendpoints = [\"{}\", \"{}\"]\n{}\n",
                       to_string(front), address_of(one), address_of(two), more);
  }
  static std::string address_of(const NamedBackend& backend) {
    return to_string(backend.listener().address());
  }
  std::unique_ptr<Program> started(const std::string& text) const {
    write(text);
    auto program = std::make_unique<Program>(by_file());
    EXPECT_TRUE(program->says("admin socket")) << program->err();
    return program;
  }
  Ran order(std::vector<std::string> words) const {
    words.insert(words.end(), {"--admin", admin()});
    return run(words);
  }
  std::vector<std::string> answers(int connections) const {
    std::vector<std::string> names;
    for (int i = 0; i < connections; ++i) names.push_back(ask(front));
    return names;
  }
  static auto count(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::count(names, name);
  }
  StatusReport::Endpoint first_of_web() const { return status_of("web").endpoints.at(0); }

  NamedBackend one{"one"};
  NamedBackend two{"two"};
  const tcp::endpoint front = free_address();
};

TEST_F(ProgramOrders, ADrainedEndpointGetsNoConnectionsUntilItIsEnabled) {
  const auto program = started(web());
  const auto drained = order({"drain", "web", address_of(one)});
  EXPECT_EQ(drained.code, 0) << drained.err;
  EXPECT_THAT(drained.out,
              HasSubstr("service web: " + address_of(one) + ": no new connections from now on"));
  EXPECT_EQ(count(answers(10), "two"), 10);
  EXPECT_TRUE(first_of_web().drained);
  EXPECT_EQ(first_of_web().by, "root");
  EXPECT_THAT(order({"status"}).out, AllOf(HasSubstr("drained"), HasSubstr("by root")));
  EXPECT_THAT(order({"why", "web"}).out, HasSubstr("drained by root"));
  EXPECT_THAT(order({"events"}).out, AllOf(HasSubstr("by hand"), HasSubstr("by root")));

  EXPECT_EQ(order({"enable", "web", address_of(one)}).code, 0);
  EXPECT_EQ(count(answers(10), "one"), 5);
  EXPECT_EQ(first_of_web().by, "");
}

TEST_F(ProgramOrders, OpenConnectionsOfADrainedEndpointGoOn) {
  Listener served(loopback_v4());
  const auto program = started(service("db", front, served.address()));
  OpenConnection connection(front, served);
  EXPECT_THAT(order({"drain", "db", to_string(served.address())}).out,
              HasSubstr("1 connection open"));
  EXPECT_TRUE(connection.carries("hello"));
  connection.end();
}

TEST_F(ProgramOrders, ClientsOfADrainedServiceAreHeldAndServedWhenItIsEnabled) {
  const auto program = started(web("hold = \"30s\""));
  EXPECT_EQ(order({"drain", "web"}).code, 0);
  EXPECT_THAT(order({"status"}).out, HasSubstr("service web: every endpoint is drained by hand"));
  Peer client = Peer::connect_to(front);
  client.send("?");
  EXPECT_TRUE(eventually([this] { return status_of("web").held_now == 1; }));
  EXPECT_EQ(order({"enable", "web"}).code, 0);
  EXPECT_THAT(client.read_all(), testing::AnyOf("one", "two"));
  client.finish();
}

TEST_F(ProgramOrders, AWeightByHandCountsInPlaceOfTheSources) {
  const auto program = started(web());
  EXPECT_EQ(order({"set", "weight", "web", address_of(one), "3"}).code, 0);
  EXPECT_EQ(count(answers(40), "one"), 30);
  EXPECT_EQ(first_of_web().weight, 3U);
  EXPECT_EQ(first_of_web().weight_by_hand, 3U);
  EXPECT_THAT(order({"status"}).out,
              HasSubstr("by hand    " + address_of(one) + ": weight 3 by root"));
  EXPECT_EQ(order({"set", "weight", "web", address_of(two), "0"}).code, 0);
  EXPECT_EQ(count(answers(10), "one"), 10);
}

TEST_F(ProgramOrders, OpenConnectionsAreResetAndNewOnesComeAsBefore) {
  Listener served(loopback_v4());
  const auto program = started(service("db", front, served.address()));
  OpenConnection connection(front, served);
  EXPECT_TRUE(connection.carries("hello"));
  EXPECT_THAT(order({"reset", "db"}).out, HasSubstr("every endpoint: 1 connection reset"));
  EXPECT_EQ(connection.client.read_until_end().error, std::errc::connection_reset);
  EXPECT_EQ(connection.server.read_until_end().error, std::errc::connection_reset);
  OpenConnection next(front, served);
  EXPECT_TRUE(next.carries("again"));
}

TEST_F(ProgramOrders, AReloadTakesThemBackAndSaysSo) {
  const auto program = started(web());
  EXPECT_EQ(order({"drain", "web", address_of(one)}).code, 0);
  EXPECT_EQ(order({"set", "weight", "web", address_of(two), "7"}).code, 0);
  const auto reloaded = reload();
  EXPECT_THAT(reloaded.out, AllOf(HasSubstr(address_of(one) + ": as the sources say again (it was "
                                                              "drained by root)"),
                                  HasSubstr("(it was weight 7 by root)")));
  EXPECT_EQ(count(answers(10), "one"), 5);
}

TEST_F(ProgramOrders, WhatThereIsNotIsNamed) {
  const auto program = started(web());
  const auto no_service = order({"drain", "webb"});
  EXPECT_EQ(no_service.code, 1);
  EXPECT_THAT(no_service.err, HasSubstr("did you mean web?"));
  const auto no_endpoint = order({"reset", "web", "10.9.8.7:1"});
  EXPECT_EQ(no_endpoint.code, 1);
  EXPECT_THAT(no_endpoint.err, AllOf(HasSubstr("service web has no endpoint '10.9.8.7:1'"),
                                     HasSubstr(address_of(one))));
  EXPECT_EQ(order({"set", "weight", "web", address_of(one), "1001"}).code, 2);
  EXPECT_EQ(order({"set", "speed", "web", address_of(one), "1"}).code, 2);
  EXPECT_EQ(count(answers(10), "one"), 5);
}

}  // namespace
}  // namespace ambbpf::test
