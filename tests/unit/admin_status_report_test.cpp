// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/status_sample.h"
#include "userspace/admin/status_report.h"

namespace ambbpf {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string error_of(std::string_view json) {
  const auto report = status_report_from_json(json);
  return report ? "(none)" : report.error().message();
}

TEST(StatusJson, ComesBackAsItWent) {
  auto report = sample_report();
  report.connections.mismatches = std::numeric_limits<std::uint64_t>::max();
  const auto json = to_json(report);
  const auto back = status_report_from_json(json);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(to_json(*back), json);
  EXPECT_EQ(to_text(*back), to_text(report));
  ASSERT_EQ(back->services.size(), 1u);
  EXPECT_EQ(back->services[0].sources[0].heard_ms, 2'100u);
  EXPECT_EQ(back->services[0].endpoints[1].failed_connects, 8u);
  EXPECT_EQ(back->connections.mismatches, std::numeric_limits<std::uint64_t>::max());
}

TEST(StatusJson, LeavesOutAnAgeThatThereIsNot) {
  auto report = sample_report();
  report.services[0].sources[0].heard_ms.reset();
  report.registrars.clear();
  const auto json = to_json(report);
  EXPECT_THAT(json, Not(HasSubstr("heard_ms")));
  EXPECT_EQ(status_report_from_json(json)->services[0].sources[0].heard_ms, std::nullopt);
}

TEST(StatusJson, SaysWhetherTheProcessIsDegraded) {
  auto report = healthy_report();
  EXPECT_THAT(to_json(report), HasSubstr(R"("degraded":false,"troubles":[])"));
  report.services[0].endpoints.clear();
  EXPECT_THAT(to_json(report),
              HasSubstr(R"("degraded":true,"troubles":["service web has no endpoint"])"));
}

TEST(StatusJson, IsAsciiWithoutControlCharactersWhateverTheTextsHold) {
  StatusReport report;
  report.engine_reason = "a\0b\x1b[2J\x7f\x9b \xff\xfe \u00e4 \u202e \"\\\n"s;
  const auto json = to_json(report);
  for (const char c : json) EXPECT_TRUE(c >= ' ' && c <= '~') << json;
  const auto back = status_report_from_json(json);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->engine_reason, "a\0b\x1b[2J\x7f\ufffd \ufffd\ufffd \u00e4 \u202e \"\\\n"s);
}

TEST(StatusJson, ToleratesMissingUnknownAndNullFields) {
  const auto report = status_report_from_json(
      R"({"pid":7,"of the future":[{}],"verb":null,"services":[{"name":"web","endpoints":[{}]}]})");
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->pid, 7u);
  EXPECT_EQ(report->verb, "");
  EXPECT_EQ(report->services[0].name, "web");
  EXPECT_EQ(report->services[0].endpoints.size(), 1u);
  EXPECT_TRUE(status_report_from_json("{}"));
}

TEST(StatusJson, SaysWhatIsNoReport) {
  for (const auto* text : {"", "not JSON", "{", "{}x", "{\"a\":1,}"})
    EXPECT_EQ(error_of(text), "status report: no JSON") << text;
  for (const auto* text : {"[]", "7", "null", "\"x\""})
    EXPECT_EQ(error_of(text), "status report: the whole is not an object") << text;
}

TEST(StatusJson, NamesTheFieldThatIsOfAnotherType) {
  EXPECT_EQ(error_of(R"({"verb":7})"), "status report: verb is not a string");
  EXPECT_EQ(error_of(R"({"pid":-1})"), "status report: pid is not a whole number from 0");
  EXPECT_EQ(error_of(R"({"pid":1.5})"), "status report: pid is not a whole number from 0");
  EXPECT_EQ(error_of(R"({"draining":1})"), "status report: draining is not true or false");
  EXPECT_EQ(error_of(R"({"services":{}})"), "status report: services is not an array");
  EXPECT_EQ(error_of(R"({"services":[{},{"sources":[{"heard_ms":[]}]}]})"),
            "status report: services[1].sources[0].heard_ms is not a whole number from 0");
  EXPECT_EQ(error_of(R"({"connections":{"to_client":3}})"),
            "status report: connections.to_client is not an object");
}

TEST(StatusJson, SurvivesNestingWithoutEnd) {
  EXPECT_EQ(error_of(std::string(1'000'000, '[')), "status report: no JSON");
}

TEST(Degraded, IsNotAProcessWithEjectedButAlsoOtherEndpoints) {
  EXPECT_FALSE(is_degraded(healthy_report()));
  EXPECT_FALSE(is_degraded({}));
}

TEST(Degraded, IsAServiceWithoutAnEndpoint) {
  auto report = healthy_report();
  report.services[0].endpoints.clear();
  EXPECT_THAT(troubles(report), ElementsAre("service web has no endpoint"));
}

TEST(Degraded, IsAServiceWhoseEndpointsAllRest) {
  auto report = healthy_report();
  for (auto& endpoint : report.services[0].endpoints) endpoint.ejected_ms = 1;
  EXPECT_THAT(troubles(report), ElementsAre("service web: connecting to every endpoint fails"));
}

TEST(Degraded, IsAFailingSourceButNotOneThatIsNotServed) {
  auto report = healthy_report();
  report.services[0].sources[0].state = "not served";
  EXPECT_FALSE(is_degraded(report));
  report.services[0].sources[0].state = "failing";
  EXPECT_THAT(troubles(report),
              ElementsAre("service web: etcd v3 http://127.0.0.1:2379 /services/web/ fails"));
}

TEST(Degraded, IsAServiceOfWhoseEndpointsNonePassesItsChecks) {
  auto report = healthy_report();
  report.services[0].endpoints[0].check = "down";
  report.services[0].endpoints[1].ejected_ms = 1;
  EXPECT_THAT(troubles(report), ElementsAre("service web: no endpoint passes its checks"));
  report.services[0].endpoints[1].ejected_ms = 0;
  EXPECT_THAT(troubles(report), ElementsAre());
}

TEST(Degraded, AreValuesAndLabelsThatAreRejected) {
  auto report = healthy_report();
  auto& rejected = report.services[0].sources[0].rejected;
  rejected = {{"/services/web/bad", "no port in 'x'"}};
  report.registrars[0].rejected = {{"db-1", "label ambbpf.port: 'x' is not a port"}};
  EXPECT_THAT(troubles(report),
              ElementsAre("service web: 1 value of etcd v3 is rejected",
                          "container db-1: label ambbpf.port: 'x' is not a port"));
  rejected.push_back({"/services/web/worse", "no port in 'y'"});
  EXPECT_THAT(troubles(report)[0], "service web: 2 values of etcd v3 are rejected");
}

TEST(Degraded, AreBytesThatDoNotAddUp) {
  auto report = healthy_report();
  report.connections.mismatches = 1;
  EXPECT_THAT(troubles(report), ElementsAre("bytes received and sent on did not agree, 1 time"));
}

TEST(Degraded, IsAnAccessLogThatCannotBeWrittenOrHasLostLinesOfLate) {
  auto report = healthy_report();
  report.access_log = {
      .target = "/a.log", .sample = 1, .lines = 5, .lost = 7, .lost_ms = 59'999, .last_error = {}};
  EXPECT_THAT(troubles(report), ElementsAre("access log /a.log: 7 lines lost"));
  report.access_log.lost_ms = 60'000;
  EXPECT_THAT(troubles(report), testing::IsEmpty());
  report.access_log.last_error = "/a.log: No space left on device";
  EXPECT_THAT(troubles(report), ElementsAre("access log /a.log: No space left on device"));
}

TEST(StatusJson, ARegistrarIsInTroubleWhereItsServersFailOrAPortIsNotPublished) {
  StatusReport report;
  auto& registrar = report.registrars.emplace_back();
  registrar.docker.from = "unix:///docker.sock";
  registrar.etcd.from = "http://10.0.0.1:2379";
  registrar.registrations = {{"web", "/services/www/web", "", "waiting", "it is paused"}};
  EXPECT_THAT(troubles(report), testing::IsEmpty());
  registrar.docker.state = "failing";
  registrar.etcd.state = "failing";
  registrar.registrations[0].state = "unreachable";
  registrar.registrations[0].note = "port 80 is not published";
  EXPECT_THAT(troubles(report), testing::ElementsAre("docker unix:///docker.sock fails",
                                                     "etcd http://10.0.0.1:2379 fails",
                                                     "container web: port 80 is not published"));
}

}  // namespace
}  // namespace ambbpf
