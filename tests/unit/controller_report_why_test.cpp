// SPDX-License-Identifier: Apache-2.0
// What a service does is told as an event, and why it goes where it goes.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>

#include "tests/support/peers.h"
#include "userspace/controller/report.h"
#include "userspace/endpoints/service.h"
#include "userspace/events/event_log.h"

namespace ambbpf {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

Endpoint found(const std::string& address, const std::string& key, const char* weight = nullptr) {
  Endpoint endpoint{parse_address(address).value(), key, {}};
  if (weight) endpoint.attributes.emplace_back("weight", weight);
  return endpoint;
}

Endpoint standing(const std::string& address, const char* attribute, const char* value) {
  auto endpoint = found(address, address);
  endpoint.attributes.emplace_back(attribute, value);
  return endpoint;
}

class Why : public testing::Test {
 protected:
  void publish(std::vector<Endpoint> endpoints, const Cause& cause = {}) {
    publish_(std::move(endpoints), cause);
  }
  std::shared_ptr<Backend> backend(const std::string& address) {
    for (const auto& listed : *service.in_force())
      if (to_string(listed.backend->address()) == address) return listed.backend;
    throw std::runtime_error("no backend " + address);
  }
  WhyReport why(const std::vector<RejectedValue>& of_sources = {}) {
    return report_why(service, of_sources, Clock::now());
  }
  // "address: why"
  std::vector<std::string> passed_over() {
    std::vector<std::string> lines;
    for (const auto& passed : why().passed_over)
      lines.push_back(fmt::format("{}: {}", passed.address, passed.why));
    return lines;
  }
  std::vector<std::string> in_turn() {
    std::vector<std::string> addresses;
    for (const auto& candidate : why().candidates) addresses.push_back(candidate.address);
    return addresses;
  }
  std::vector<Event> events() const {
    std::vector<Event> events;
    for (const auto& event : event_log().after(before).events)
      if (event->service == service.name()) events.push_back(*event);
    return events;
  }

  Service service{"web"};
  const std::uint64_t before = event_log().after(0).last;

 private:
  Publish publish_ = service.way_in(service.add_source());
};

TEST_F(Why, TheNextIsWhomTheNextPickTakes) {
  publish({found("10.0.0.1:80", "/a"), found("10.0.0.2:80", "/b"), found("10.0.0.3:80", "/c")});
  for (int i = 0; i < 7; ++i) {
    const auto next = why().next;
    EXPECT_EQ(in_turn().front(), next);
    EXPECT_EQ(to_string(service.pick({})->address()), next);
  }
  EXPECT_THAT(in_turn(), ElementsAre("10.0.0.2:80", "10.0.0.3:80", "10.0.0.1:80"));
  EXPECT_THAT(passed_over(), IsEmpty());
}

TEST_F(Why, WeightsAreTurnsOfARound) {
  publish({found("10.0.0.1:80", "/a", "3"), found("10.0.0.2:80", "/b"),
           found("10.0.0.3:80", "/c", "0")});
  const auto report = why();
  ASSERT_EQ(report.candidates.size(), 2U);
  EXPECT_EQ(report.candidates[0].address, "10.0.0.1:80");
  EXPECT_EQ(report.candidates[0].turns, 3U);
  EXPECT_EQ(report.candidates[1].turns, 1U);
  EXPECT_THAT(passed_over(),
              ElementsAre("10.0.0.3:80: weight 0: it gets none while there is another"));
}

TEST_F(Why, ByPolicyFirstTheOthersStandIn) {
  service.choose_by({.policy = policy_named("first")});
  publish({found("10.0.0.1:80", "/a"), found("10.0.0.2:80", "/b")});
  const auto report = why();
  EXPECT_EQ(report.policy, "first");
  ASSERT_EQ(report.candidates.size(), 2U);
  EXPECT_GT(report.candidates[0].turns, 0U);
  EXPECT_EQ(report.candidates[1].turns, 0U);
}

TEST_F(Why, ByLoadTheNextIsWhoHasTheFewestNowAndThereAreNoTurns) {
  service.choose_by({.policy = policy_named("least_connections")});
  publish({found("10.0.0.1:80", "/a"), found("10.0.0.2:80", "/b"), found("10.0.0.3:80", "/c")});
  backend("10.0.0.1:80")->connections_now = 2;
  backend("10.0.0.2:80")->connections_now = 1;
  backend("10.0.0.3:80")->connections_now = 2;
  const auto report = why();
  EXPECT_EQ(report.taken, "by load");
  EXPECT_EQ(report.next, "10.0.0.2:80");
  EXPECT_THAT(in_turn(), ElementsAre("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"));
  EXPECT_EQ(report.candidates[1].turns, 0U);
  EXPECT_EQ(report.candidates[2].busy, 2U);
  EXPECT_THAT(to_text(report),
              AllOf(StartsWith("web: the next connection goes to 10.0.0.2:80, unless the load"),
                    HasSubstr("in no order"), Not(HasSubstr("a round"))));
  service.choose_by({.policy = policy_named("random_two")});
  const auto next = why().next;
  EXPECT_EQ(to_string(service.pick({})->address()), next);
}

TEST_F(Why, ByClientNobodyIsNext) {
  service.choose_by({.policy = policy_named("source")});
  publish({found("10.0.0.1:80", "/a"), found("10.0.0.2:80", "/b")});
  const auto report = why();
  EXPECT_EQ(report.taken, "by client");
  EXPECT_EQ(report.next, "");
  EXPECT_EQ(report.candidates.size(), 2U);
  EXPECT_THAT(to_text(report), StartsWith("web: where the next connection goes depends on its "));
}

TEST_F(Why, WhoStandsBehindOthersIsToldSo) {
  publish({standing("10.0.0.1:80", "priority", "2"), standing("10.0.0.2:80", "priority", "1"),
           standing("10.0.0.3:80", "backup", "true")});
  EXPECT_THAT(passed_over(),
              ElementsAre("10.0.0.1:80: it is of priority 2: it gets none while one of priority 1 "
                          "can take it",
                          "10.0.0.3:80: it is a backup: it gets none while one of priority 1 can "
                          "take it"));
  service.report(*backend("10.0.0.2:80"), BackendOutcome::kConnectFailed, "refused");
  EXPECT_EQ(why().next, "10.0.0.1:80");
  EXPECT_THAT(passed_over(), ElementsAre(StartsWith("10.0.0.2:80: ejected"),
                                         HasSubstr("while one of priority 2 can take it")));
}

TEST_F(Why, AZoneThatIsPreferredIsToldAndWhenItIsNot) {
  service.choose_by({.zone = "nyc", .zone_spill = 60});
  publish({standing("10.0.0.1:80", "zone", "nyc"), standing("10.0.0.2:80", "zone", "nyc"),
           standing("10.0.0.3:80", "zone", "ams"), found("10.0.0.4:80", "/d")});
  EXPECT_THAT(passed_over(),
              ElementsAre("10.0.0.3:80: zone ams: endpoints of zone nyc are preferred",
                          "10.0.0.4:80: it says no zone: endpoints of zone nyc are preferred"));
  EXPECT_EQ(why().zone, "nyc is preferred: its endpoints are the candidates");
  service.report(*backend("10.0.0.1:80"), BackendOutcome::kConnectFailed, "refused");
  EXPECT_EQ(why().candidates.size(), 3U);
  EXPECT_THAT(why().zone, HasSubstr("fewer than 60 % of its endpoints can take connections"));
  service.choose_by({});
  EXPECT_EQ(why().zone, "");
}

TEST_F(Why, AnEjectedOneIsPassedOverForTheReasonThatItsConnectsFail) {
  publish({found("10.0.0.1:80", "/a"), found("10.0.0.2:80", "/b")});
  const auto failing = backend("10.0.0.1:80");
  service.report(*failing, BackendOutcome::kConnectFailed, "connect to 10.0.0.1:80: refused");
  service.report(*failing, BackendOutcome::kConnectFailed, "connect to 10.0.0.1:80: timed out");
  EXPECT_THAT(passed_over(),
              ElementsAre("10.0.0.1:80: ejected after 2 failed connects, the last: connect to "
                          "10.0.0.1:80: timed out"));
  const auto passed = why().passed_over[0];
  EXPECT_TRUE(passed.since_ms.has_value());
  EXPECT_GT(passed.for_ms.value_or(0), 0U);
  EXPECT_EQ(why().next, "10.0.0.2:80");
  service.report(*failing, BackendOutcome::kConnected);
  EXPECT_THAT(passed_over(), IsEmpty());
  const auto told = events();
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[1].kind, "ejected");
  EXPECT_EQ(told[1].cause, "connect to 10.0.0.1:80: refused");
  EXPECT_THAT(told[1].outcome, StartsWith("10.0.0.1:80 for 1 s"));
  EXPECT_EQ(told[2].kind, "returned");
  EXPECT_THAT(told[2].outcome,
              AllOf(StartsWith("10.0.0.1:80 after "), HasSubstr("2 failed connects")));
  EXPECT_EQ(told[2].version, why().version);
}

// One is slow when the first has been there for a while.
TEST_F(Why, ASlowStartIsToldWithItsPercent) {
  service.choose_by({.slow_start = std::chrono::hours(1)});
  publish({found("10.0.0.1:80", "/a")});
  ASSERT_TRUE(test::eventually([this] {
    publish({found("10.0.0.1:80", "/a")});
    publish({found("10.0.0.1:80", "/a"), found("10.0.0.2:80", "/b", "2")});
    return !why().candidates.back().note.empty() || !why().candidates.front().note.empty();
  }));
  std::map<std::string, WhyReport::Candidate> by_address;
  for (const auto& candidate : why().candidates) by_address[candidate.address] = candidate;
  EXPECT_EQ(by_address["10.0.0.2:80"].note, "slow start, 10 % of its weight");
  EXPECT_EQ(by_address["10.0.0.2:80"].weight, 2U);
  EXPECT_EQ(by_address["10.0.0.2:80"].turns, 1U);
  EXPECT_EQ(by_address["10.0.0.1:80"].note, "");
  EXPECT_EQ(by_address["10.0.0.1:80"].turns, 5U);
  const auto status = report_service(service, Clock::now());
  EXPECT_EQ(status.endpoints.at(1).slow_start, 10U);
  EXPECT_FALSE(status.endpoints.at(0).slow_start);
}

TEST_F(Why, WhereAllAreEjectedTheyAreTriedAllTheSame) {
  publish({found("10.0.0.1:80", "/a")});
  service.report(*backend("10.0.0.1:80"), BackendOutcome::kConnectFailed, "refused");
  const auto report = why();
  EXPECT_EQ(report.next, "10.0.0.1:80");
  EXPECT_THAT(report.candidates[0].note, StartsWith("ejected"));
  EXPECT_THAT(report.passed_over, IsEmpty());
}

TEST_F(Why, OneThatHasLeftIsRememberedWithTheRevisionUntilItComesBack) {
  publish({found("10.0.0.1:80", "/a"), found("10.0.0.2:80", "/b")},
          {.what = "/b set", .revision = 7});
  publish({found("10.0.0.1:80", "/a")}, {.what = "/b removed", .revision = 8});
  const auto report = why();
  ASSERT_EQ(report.passed_over.size(), 1U);
  EXPECT_EQ(report.passed_over[0].address, "10.0.0.2:80");
  EXPECT_EQ(report.passed_over[0].found_as, "/b");
  EXPECT_EQ(report.passed_over[0].why, "in no source's set any more: /b removed");
  EXPECT_EQ(report.passed_over[0].revision, 8U);
  publish({found("10.0.0.1:80", "/a"), found("10.0.0.2:80", "/b")});
  EXPECT_THAT(passed_over(), IsEmpty());
}

TEST_F(Why, RemembersAFewOfThoseThatHaveLeft) {
  std::vector<Endpoint> many;
  for (int i = 1; i <= 200; ++i) many.push_back(found(fmt::format("10.0.0.{}:80", i), "/a"));
  publish(many);
  publish({});
  EXPECT_EQ(why().passed_over.size(), SetHistory::kMostGone);
  EXPECT_EQ(why().next, "");
}

TEST_F(Why, WhatIsRejectedIsNamedWithItsReason) {
  service.reject_by([](const tcp::endpoint& address) -> std::string {
    return address.port() == 81 ? "10.0.0.2:81 is where this process listens" : "";
  });
  publish({found("10.0.0.1:80", "/a"), found("10.0.0.2:81", "/loop")},
          {.what = "/loop set", .revision = 3});
  const auto report = why({{"/bad", "no port in '10.0.0.3'"}});
  ASSERT_EQ(report.passed_over.size(), 2U);
  EXPECT_EQ(report.passed_over[0].found_as, "/loop");
  EXPECT_EQ(report.passed_over[0].why, "rejected: 10.0.0.2:81 is where this process listens");
  EXPECT_EQ(report.passed_over[1].found_as, "/bad");
  const auto told = events();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1].kind, "value rejected");
  EXPECT_EQ(told[1].revision, 3U);
  EXPECT_EQ(told[1].outcome, "/loop: 10.0.0.2:81 is where this process listens");
}

TEST_F(Why, EachChangeOfTheSetIsAnEventWithItsCause) {
  publish({found("10.0.0.1:80", "/a")}, {.what = "/a set", .revision = 5});
  publish({found("10.0.0.1:80", "/a")}, {.what = "/a set", .revision = 6});
  publish({found("10.0.0.2:80", "/a")}, {.what = "/a set", .revision = 7});
  publish({found("10.0.0.2:80", "/a", "3")}, {.what = "/a set", .revision = 8});
  const auto told = events();
  ASSERT_EQ(told.size(), 3U) << "the same set is no change";
  EXPECT_EQ(told[0].outcome, "1 endpoint: 10.0.0.1:80");
  EXPECT_EQ(told[1].outcome, "+10.0.0.2:80 -10.0.0.1:80 (1 endpoint)");
  EXPECT_EQ(told[1].cause, "/a set");
  EXPECT_EQ(told[1].revision, 7U);
  EXPECT_EQ(told[1].endpoints, 1U);
  EXPECT_TRUE(told[1].took_us.has_value());
  EXPECT_THAT(told[2].outcome, HasSubstr("weights"));
  EXPECT_EQ(told[2].version, service.choice()->version);
}

TEST_F(Why, IsTheSameAsTextAndAsJson) {
  publish({found("10.0.0.1:80", "/services/web/a"), found("10.0.0.2:80", "/services/web/b", "0")});
  auto report = why();
  report.zero_hop = "off: direct is not set; consumers go by the proxy";
  report.when_empty = "clients are held for 3s, then reset";
  report.sources = {{"etcd.main", "etcd v3", "following", 2, ""}};
  const auto read = why_report_from_json(to_json(report));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(to_json(*read), to_json(report));
  const auto text = to_text(*read);
  EXPECT_THAT(text, AllOf(StartsWith("web: the next connection goes to 10.0.0.1:80\n"),
                          HasSubstr("10.0.0.2:80 (/services/web/b): weight 0"),
                          HasSubstr("clients are held for 3s, then reset"),
                          HasSubstr("etcd.main (etcd v3): following, 2 endpoints")));
}

TEST(WhyText, CanSteerNoTerminal) {
  WhyReport report;
  report.service = "web\x1b[31m";
  report.passed_over = {{.address = {}, .found_as = "k\x1b]0;", .why = "\n\x07"}};
  EXPECT_EQ(to_text(report).find_first_of("\x1b\x07"), std::string::npos);
}

}  // namespace
}  // namespace ambbpf
