// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/containers.h"
#include "userspace/registration/plan.h"
#include "userspace/registration/planner.h"

namespace ambbpf {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

PlanRules for_web() {
  return {.only = NamedPort{"web", 80, "www", {{"weight", "3"}, {"zone", "nyc"}}},
          .advertised = asio::ip::make_address("10.0.0.1"),
          .host_name = "host-a"};
}

PlanRules for_all() {
  auto rules = for_web();
  rules.only.reset();
  return rules;
}

Container web_container() {
  auto container = running("web");
  container.ports[80] = {{"0.0.0.0", 49155}};
  return container;
}

std::string why_not(const Container& container, const PlanRules& rules = for_web()) {
  return plan(rules, all_of({container})).keys.at(0).why_not;
}

TEST(Plan, ANamedContainerHasTheKeyAndTheValueOfDockerRegister) {
  EXPECT_THAT(plan(for_web(), all_of({web_container()})).wanted(),
              ElementsAre(Pair("/services/www/web",
                               R"({"port":49155,"host":"10.0.0.1","weight":3,"zone":"nyc"})")));
}

TEST(Plan, ItMayBeNamedByItsIdAsWell) {
  auto rules = for_web();
  rules.only->container = web_container().id.substr(0, 12);
  EXPECT_THAT(plan(rules, all_of({web_container()})).wanted(),
              ElementsAre(Pair("/services/www/" + web_container().id.substr(0, 12), testing::_)));
  rules.only->container = web_container().id.substr(0, 11);
  EXPECT_THAT(plan(rules, all_of({web_container()})).wanted(), IsEmpty());
}

TEST(Plan, OnlyWhatIsThereToBeTalkedToIsWanted) {
  using State = Container::State;
  EXPECT_EQ(plan(for_web(), {}).keys.at(0).why_not, "there is no such container");
  auto container = web_container();
  for (const auto& [state, why] : {std::pair{State::kAway, "it does not run"},
                                   {State::kPaused, "it is paused"},
                                   {State::kStopping, "it is stopping"}}) {
    container.state = state;
    EXPECT_EQ(why_not(container), why);
    EXPECT_THAT(plan(for_web(), all_of({container})).wanted(), IsEmpty());
  }
}

TEST(Plan, HealthCountsUnlessItIsIgnored) {
  using Health = Container::Health;
  auto container = web_container();
  container.health = Health::kHealthy;
  EXPECT_EQ(why_not(container), "");
  container.health = Health::kStarting;
  EXPECT_EQ(why_not(container), "its health is not known yet");
  container.health = Health::kUnhealthy;
  EXPECT_EQ(why_not(container), "it is unhealthy");
  auto rules = for_web();
  rules.ignore_health = true;
  EXPECT_EQ(why_not(container, rules), "");
}

TEST(Plan, APortThatIsNotPublishedWillNotPassByItself) {
  auto container = web_container();
  container.ports.clear();
  const auto planned = plan(for_web(), all_of({container})).keys.at(0);
  EXPECT_TRUE(planned.unreachable);
  EXPECT_FALSE(planned.endpoint);
  EXPECT_EQ(planned.why_not, "port 80 is not published");
}

TEST(Plan, AllTakesWhatTheLabelsSay) {
  auto labelled = web_container();
  labelled.labels = {{"ambbpf.service", "www"}, {"ambbpf.port", "80"}, {"ambbpf.tag.zone", "nyc"}};
  const auto other = running("other");
  EXPECT_THAT(plan(for_all(), all_of({labelled, other})).wanted(),
              ElementsAre(Pair("/services/www/host-a:web:80",
                               R"({"port":49155,"host":"10.0.0.1","zone":"nyc"})")));
  labelled.state = Container::State::kAway;
  EXPECT_THAT(plan(for_all(), all_of({labelled})).keys, IsEmpty());
}

TEST(Plan, AMalformedLabelIsAComplaintAndHurtsNobodyElse) {
  auto bad = web_container();
  bad.labels = {{"ambbpf.service", "www"}, {"ambbpf.port", "eighty"}};
  auto good = running("good");
  good.ports[80] = {{"0.0.0.0", 49156}};
  good.labels = {{"ambbpf.service", "www"}};
  const auto made = plan(for_all(), all_of({bad, good}));
  ASSERT_EQ(made.complaints.size(), 1U);
  EXPECT_EQ(made.complaints[0].container, "web");
  EXPECT_THAT(made.wanted(), ElementsAre(Pair("/services/www/host-a:good:80", testing::_)));
}

TEST(Plan, KnowsTheKeysOfItsHost) {
  const std::string value = R"({"port":49155,"host":"10.0.0.1"})";
  EXPECT_TRUE(is_of_host("host-a", "/services/www/host-a:web:80", value));
  EXPECT_TRUE(is_of_host("host-a", "/services/db/main/host-a:db:5432", value));
  EXPECT_FALSE(is_of_host("host-a", "/services/www/host-ab:web:80", value));
  EXPECT_FALSE(is_of_host("host-a", "/services/www/web", value));
  EXPECT_FALSE(is_of_host("host-a", "/services/host-a:/web", value));
  EXPECT_FALSE(is_of_host("host-a", "/services/www/host-a:web:80", "10.0.0.1:80")) << "registrator";
  EXPECT_FALSE(is_of_host("", "/services/www/:web:80", value));
}

TEST(RegistrationPlanner, WantsNothingBeforeItKnowsItsAddress) {
  std::vector<WantedKeys> wanted;
  auto rules = for_web();
  rules.advertised = asio::ip::address();
  RegistrationPlanner planner(
      rules, [&](const WantedKeys& keys, const Reasons&) { wanted.push_back(keys); });
  planner.consider(all_of({web_container()}));
  EXPECT_THAT(wanted, IsEmpty());
  planner.advertise(asio::ip::make_address("10.0.0.9"));
  ASSERT_EQ(wanted.size(), 1U);
  EXPECT_THAT(wanted[0].at("/services/www/web"), testing::HasSubstr("10.0.0.9"));
}

}  // namespace
}  // namespace ambbpf
