// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/fake_http.h"
#include "tests/support/free_port.h"
#include "userspace/controller/service_sources.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

using State = SourceStatus::State;
using Addresses = std::vector<std::string>;

class SourcesOfAService : public testing::Test {
 protected:
  Endpoint at(const std::string& address, const std::string& found_as = "configuration") const {
    return {parse_address(address).value(), found_as};
  }
  Feed fixed(const Addresses& addresses) const {
    StaticEndpoints endpoints;
    for (const auto& address : addresses) endpoints.push_back(at(address));
    return endpoints;
  }
  Feed named(const std::string& host) const { return Resolved<HostAndPort>{resolver, {host, 80}}; }
  Feed etcd(const std::string& url, EtcdApi api) {
    EtcdSettings settings{.name = "main", .api = api, .options = {}, .access = {}, .user = {}};
    settings.options.urls = {url};
    settings.options.request_timeout = 2s;
    return std::make_shared<EtcdCluster>(io, settings, resolver);
  }
  // Its port is closed: whoever connects is refused.
  Feed etcd_that_is_away() {
    return etcd(fmt::format("http://127.0.0.1:{}", free_port()), EtcdApi::kV3);
  }

  bool until(const std::function<bool()>& condition) {
    const auto deadline = Clock::now() + 20s;
    while (!condition()) {
      if (Clock::now() > deadline) return false;
      io.run_one_for(20ms);
    }
    return true;
  }
  bool until_settled() {
    return until([&] { return sources.settle(); });
  }
  // Every endpoint in force, in order.
  Addresses in_force() const {
    Addresses addresses;
    for (const auto& listed : *service->in_force())
      addresses.push_back(to_string(listed.backend->address()));
    return addresses;
  }
  std::vector<State> states() const {
    std::vector<State> states;
    for (const auto& status : sources.status()) states.push_back(status.state);
    return states;
  }
  bool any_failing() const { return std::ranges::count(states(), State::kFailing) > 0; }

  asio::io_context io{1};
  std::shared_ptr<Resolver> resolver = std::make_shared<Resolver>(io.get_executor());
  std::shared_ptr<Service> service = std::make_shared<Service>("web");
  ServiceSources sources{io, service};
};

TEST_F(SourcesOfAService, UniteInTheirOrder) {
  sources.change({fixed({"10.0.0.1:1", "10.0.0.2:2"}), named("10.0.0.3")});
  EXPECT_FALSE(sources.any_answered());
  ASSERT_TRUE(until([&] { return service->in_force()->size() == 3; }));
  EXPECT_TRUE(sources.any_answered());
  EXPECT_EQ(in_force(), (Addresses{"10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:80"}));
  EXPECT_TRUE(sources.settle());
}

TEST_F(SourcesOfAService, AreTheSameObjectsWhereNothingChanges) {
  const std::vector<Feed> same{fixed({"10.0.0.1:1"}), named("10.0.0.3")};
  sources.change(same);
  ASSERT_TRUE(until([&] { return service->in_force()->size() == 2; }));
  const auto set = service->in_force();
  const auto version = service->choice()->version;
  const auto heard = sources.status()[1].heard_at;
  for (int i = 0; i < 3; ++i) {
    sources.change(same);
    EXPECT_TRUE(sources.settle());
    io.run_for(20ms);
  }
  EXPECT_EQ(service->in_force(), set);
  EXPECT_EQ(service->choice()->version, version);
  EXPECT_EQ(sources.status()[1].heard_at, heard) << "the name was resolved anew";
}

TEST_F(SourcesOfAService, StayBesideWhatComesAndGoes) {
  sources.change({fixed({"10.0.0.1:1"}), named("10.0.0.3")});
  ASSERT_TRUE(until([&] { return service->in_force()->size() == 2; }));
  const auto stays = service->in_force()->at(1).backend;
  sources.change({fixed({"10.0.0.2:2"}), named("10.0.0.3")});
  ASSERT_TRUE(until_settled());
  const auto set = service->in_force();
  ASSERT_EQ(set->size(), 2U);
  EXPECT_TRUE(set->at(0).backend == stays || set->at(1).backend == stays);
  sources.change({named("10.0.0.3")});
  ASSERT_TRUE(until_settled());
  ASSERT_EQ(in_force(), Addresses{"10.0.0.3:80"});
  EXPECT_EQ(service->in_force()->at(0).backend, stays);
}

TEST_F(SourcesOfAService, KeepTheBackendOfAnAddressThatTheSuccessorHasToo) {
  sources.change({fixed({"10.0.0.1:1", "10.0.0.2:2"})});
  ASSERT_TRUE(until([&] { return service->in_force()->size() == 2; }));
  const auto stays = service->in_force()->at(1).backend;
  sources.change({fixed({"10.0.0.2:2", "10.0.0.4:4"})});
  ASSERT_TRUE(until_settled());
  ASSERT_EQ(in_force(), (Addresses{"10.0.0.2:2", "10.0.0.4:4"}));
  EXPECT_EQ(service->in_force()->at(0).backend, stays);
}

// The first is the one that the policy "first" takes.
TEST_F(SourcesOfAService, AreInTheOrderThatIsWantedNow) {
  const auto first = named("10.0.0.1");
  const auto second = named("10.0.0.2");
  sources.change({first, second});
  ASSERT_TRUE(until([&] { return service->in_force()->size() == 2; }));
  sources.change({second, first});
  ASSERT_TRUE(until_settled());
  EXPECT_EQ(in_force(), (Addresses{"10.0.0.2:80", "10.0.0.1:80"}));
  sources.change({named("10.0.0.3"), first});
  ASSERT_TRUE(until_settled());
  EXPECT_EQ(in_force(), (Addresses{"10.0.0.3:80", "10.0.0.1:80"}));
  sources.change({fixed({"10.0.0.4:4"}), named("10.0.0.3"), first});
  ASSERT_TRUE(until_settled());
  EXPECT_EQ(in_force(), (Addresses{"10.0.0.4:4", "10.0.0.3:80", "10.0.0.1:80"}));
}

TEST_F(SourcesOfAService, CountUntilTheirSuccessorHasAnswered) {
  sources.change({fixed({"10.0.0.1:1"})});
  ASSERT_TRUE(until([&] { return service->in_force()->size() == 1; }));
  const auto stays = service->in_force()->at(0).backend;
  sources.change({etcd_that_is_away()});
  ASSERT_TRUE(until([&] { return any_failing(); }));
  EXPECT_FALSE(sources.settle());
  EXPECT_EQ(in_force(), Addresses{"10.0.0.1:1"});
  EXPECT_EQ(service->in_force()->at(0).backend, stays);
  const auto status = sources.status();
  ASSERT_EQ(status.size(), 2U);
  EXPECT_EQ(status[0].kind, "etcd v3");
  EXPECT_EQ(status[1].kind, "static");
  EXPECT_NE(status[1].note.find("no longer configured"), std::string::npos) << status[1].note;
  EXPECT_TRUE(sources.any_answered()) << "what counts has answered";

  sources.change({fixed({"10.0.0.2:2"})});
  ASSERT_TRUE(until_settled());
  EXPECT_EQ(in_force(), Addresses{"10.0.0.2:2"});
  EXPECT_EQ(sources.status().size(), 1U);
}

TEST_F(SourcesOfAService, ThatStayAlsoWaitForThoseThatCome) {
  sources.change({fixed({"10.0.0.1:1"}), named("10.0.0.3")});
  ASSERT_TRUE(until([&] { return service->in_force()->size() == 2; }));
  sources.change({etcd_that_is_away(), named("10.0.0.3")});
  ASSERT_TRUE(until([&] { return any_failing(); }));
  EXPECT_FALSE(sources.settle());
  EXPECT_EQ(in_force(), (Addresses{"10.0.0.1:1", "10.0.0.3:80"}));
}

TEST_F(SourcesOfAService, MayComeBackBeforeTheyHaveGone) {
  sources.change({fixed({"10.0.0.1:1"})});
  ASSERT_TRUE(until([&] { return service->in_force()->size() == 1; }));
  const auto stays = service->in_force()->at(0).backend;
  sources.change({etcd_that_is_away()});
  ASSERT_TRUE(until([&] { return any_failing(); }));
  sources.change({fixed({"10.0.0.1:1"})});
  ASSERT_TRUE(until_settled());
  EXPECT_EQ(in_force(), Addresses{"10.0.0.1:1"});
  EXPECT_EQ(service->in_force()->at(0).backend, stays);
  EXPECT_EQ(sources.status().size(), 1U);
}

// An etcd of API v3 alone, where 10.0.0.9:9 provides the service.
FakeAnswer answer_of_v3(const std::string& head) {
  if (head.find("/kv/range") != std::string::npos)
    return {fake_answer("200 OK", "Content-Type: application/json\r\n",
                        R"({"header":{"cluster_id":"1","revision":"7"},"kvs":[{"key":")"
                        "L3NlcnZpY2VzL3dlYi9h"  // /services/web/a
                        R"(","mod_revision":"7","value":")"
                        "eyJob3N0IjoiMTAuMC4wLjkiLCJwb3J0Ijo5fQ=="  // host 10.0.0.9, port 9
                        R"("}],"count":"1"})")};
  if (head.find("/watch") != std::string::npos)
    return {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", true};
  return {fake_answer("404 Not Found", "", "404 page not found\n")};
}

TEST_F(SourcesOfAService, GoAlsoWhileAnotherKnowsItsOwnOnlyFromBeforeAnOutage) {
  std::optional<FakeHttp> server(answer_of_v3);
  const auto away_later = etcd(server->url(), EtcdApi::kV3);
  sources.change({away_later, fixed({"10.0.0.1:1"})});
  ASSERT_TRUE(until([&] { return service->in_force()->size() == 2; }));
  server.reset();
  ASSERT_TRUE(until([&] { return any_failing(); }));
  sources.change({away_later});
  ASSERT_TRUE(until_settled());
  EXPECT_EQ(in_force(), Addresses{"10.0.0.9:9"});
}

// The follower of v2 has nothing to say, and nobody waits for it.
TEST_F(SourcesOfAService, GoWhenOneApiHasAnsweredAndTheOtherIsNotServed) {
  const FakeHttp v3_only(answer_of_v3);
  sources.change({fixed({"10.0.0.1:1"})});
  ASSERT_TRUE(until([&] { return service->in_force()->size() == 1; }));
  sources.change({etcd(v3_only.url(), EtcdApi::kAuto)});
  ASSERT_TRUE(until_settled());
  EXPECT_EQ(states(), (std::vector<State>{State::kNotServed, State::kFollowing}));
  EXPECT_EQ(in_force(), Addresses{"10.0.0.9:9"});
}

// A server that is no etcd at all knows of no endpoint, and so says nothing about them.
TEST_F(SourcesOfAService, StayWhereTheSuccessorServesNoApi) {
  const FakeHttp no_etcd([](const std::string&) {
    return FakeAnswer{fake_answer("404 Not Found", "", "404 page not found\n")};
  });
  sources.change({fixed({"10.0.0.1:1"})});
  ASSERT_TRUE(until([&] { return service->in_force()->size() == 1; }));
  sources.change({etcd(no_etcd.url(), EtcdApi::kAuto)});
  const std::vector<State> neither{State::kNotServed, State::kNotServed, State::kFollowing};
  ASSERT_TRUE(until([&] { return states() == neither; }));
  EXPECT_FALSE(sources.settle());
  EXPECT_EQ(in_force(), Addresses{"10.0.0.1:1"});
}

TEST_F(SourcesOfAService, ReleaseTheirServerWhenTheyGo) {
  auto feed = etcd_that_is_away();
  const std::weak_ptr<EtcdCluster> server = std::get<std::shared_ptr<EtcdCluster>>(feed);
  sources.change({feed});
  feed = fixed({"10.0.0.1:1"});
  io.run_for(20ms);
  sources.change({feed});
  ASSERT_TRUE(until_settled());
  EXPECT_TRUE(until([&] { return server.expired(); }));
}

}  // namespace
}  // namespace ambbpf::test
