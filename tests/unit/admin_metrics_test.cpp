// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "tests/support/promtool.h"
#include "tests/unit/status_sample.h"
#include "userspace/admin/metrics.h"

namespace ambbpf {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string metrics(const StatusReport& report) { return to_metrics(report, Detail::kEndpoints); }

std::vector<std::string> samples(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);)
    if (!line.starts_with('#')) lines.push_back(line);
  return lines;
}

// Samples with their labels, without the values.
std::vector<std::string> series(const std::string& text) {
  auto lines = samples(text);
  for (auto& line : lines) line.resize(line.rfind(' '));
  return lines;
}

struct Expected {
  std::string name;
  std::string line;
};

class MetricOf : public testing::TestWithParam<Expected> {};

TEST_P(MetricOf, IsTheFigureOfTheReport) {
  auto report = sample_report();
  report.connections.mismatches = 3;
  report.services[0].rejected = {{"/services/web/own", "this process itself listens there"}};
  EXPECT_THAT(samples(metrics(report)), testing::Contains(GetParam().line));
}

INSTANTIATE_TEST_SUITE_P(
    Metrics, MetricOf,
    testing::ValuesIn(std::vector<Expected>{
        {"BuildInfo",
         R"(ambbpf_build_info{version="0.1.0",commit="c0ffee",verb="proxy",engine="splice"} 1)"},
        {"StartTime", "process_start_time_seconds 1790000000.5"},
        {"Processor", "process_cpu_seconds_total 2.5"},
        {"Memory", "process_resident_memory_bytes 12582912"},
        {"Descriptors", "process_open_fds 48"},
        {"MostDescriptors", "process_max_fds 1024"},
        {"Draining", "ambbpf_draining 1"},
        {"Generation", "ambbpf_config_generation 3"},
        {"Reload", "ambbpf_config_last_reload_successful 1"},
        {"KernelBytes",
         R"(ambbpf_relay_bytes_total{path="kernel",direction="to_client"} 13421772800)"},
        {"UserBytes", R"(ambbpf_relay_bytes_total{path="user",direction="to_backend"} 3565158)"},
        {"Promotions", "ambbpf_relay_promotions_total 100"},
        {"Demotions", "ambbpf_relay_demotions_total 20"},
        {"Mismatches", "ambbpf_relay_mismatches_total 3"},
        {"Connections", R"(ambbpf_service_connections{service="web"} 12)"},
        {"HeldNow", R"(ambbpf_service_held_connections{service="web"} 2)"},
        {"Refused",
         R"(ambbpf_service_refused_connections_total{service="web",reason="max_connections"} 5)"},
        {"OutOfDescriptors",
         R"(ambbpf_service_refused_connections_total{service="web",reason="descriptors"} 3)"},
        {"Queued", R"(ambbpf_service_queued_connections_total{service="web"} 21)"},
        {"QueuedNow", R"(ambbpf_service_queued_connections{service="web"} 9)"},
        {"IdleTimeouts",
         R"(ambbpf_service_timed_out_connections_total{service="web",reason="idle_timeout"} 4)"},
        {"LifetimesOver",
         R"(ambbpf_service_timed_out_connections_total{service="web",reason="max_lifetime"} 2)"},
        {"NoEndpoint",
         R"(ambbpf_service_failed_connections_total{service="web",reason="no_endpoint"} 3)"},
        {"GaveUp", R"(ambbpf_service_failed_connections_total{service="web",reason="gave_up"} 4)"},
        {"Ejections", R"(ambbpf_service_ejections_total{service="web",reason="connect"} 11)"},
        {"EjectionsForResets",
         R"(ambbpf_service_ejections_total{service="web",reason="resets"} 3)"},
        {"EarlyResets", R"(ambbpf_service_early_resets_total{service="web"} 9)"},
        {"ServiceBytes",
         R"(ambbpf_service_bytes_total{service="web",direction="to_client"} 80008)"},
        {"ChecksPassed", R"(ambbpf_service_checks_total{service="web",result="passed"} 1001)"},
        {"ChecksFailed", R"(ambbpf_service_checks_total{service="web",result="failed"} 15)"},
        {"CheckUp", R"(ambbpf_endpoint_check_up{service="web",endpoint="10.0.0.1:80"} 1)"},
        {"EndpointsDown", R"(ambbpf_service_endpoints{service="web",state="down"} 0)"},
        {"EndpointsInUse", R"(ambbpf_service_endpoints{service="web",state="in_use"} 1)"},
        {"EndpointsEjected", R"(ambbpf_service_endpoints{service="web",state="ejected"} 1)"},
        {"Rejected", R"(ambbpf_service_rejected_values{service="web"} 1)"},
        {"Endpoint",
         R"(ambbpf_endpoint_connections_total{service="web",endpoint="10.0.0.1:80",path="proxy"} 3400)"},
        {"Ejected", R"(ambbpf_endpoint_ejected{service="web",endpoint="[fd00::1]:80"} 1)"},
        {"SourceState",
         R"(ambbpf_source_state{service="web",source="etcd.main",kind="etcd v3",state="following"} 1)"},
        {"SourceAge",
         R"(ambbpf_source_age_seconds{service="web",source="etcd.main",kind="etcd v3"} 2.1)"},
        {"Registered", R"(ambbpf_registrar_registered{registrar="containers"} 1)"},
        {"Registrations", R"(ambbpf_registrar_registrations{registrar="containers"} 2)"},
        {"EtcdWrites", R"(ambbpf_registrar_etcd_writes_total{registrar="containers"} 31)"},
        {"DockerFailures", R"(ambbpf_registrar_docker_failures_total{registrar="containers"} 23)"},
    }),
    [](const auto& of) { return of.param.name; });

TEST(Metrics, HaveHistogramsWhoseBucketsAddUp) {
  const auto text = metrics(sample_report());
  for (const auto* line :
       {R"(_bucket{service="web",le="0.00025"} 40)", R"(_bucket{service="web",le="0.0025"} 47)",
        R"(_bucket{service="web",le="+Inf"} 48)", R"(_count{service="web"} 48)",
        R"(_sum{service="web"} 0.0605)"})
    EXPECT_THAT(text, HasSubstr(std::string("ambbpf_service_connect_duration_seconds") + line));
  EXPECT_THAT(text, HasSubstr("ambbpf_source_propagation_seconds_count{service=\"web\","));
}

TEST(Metrics, OfADirectServiceHaveBothPaths) {
  auto report = sample_report();
  EXPECT_THAT(metrics(report), AllOf(Not(HasSubstr("_direct_")), Not(HasSubstr("\"direct\""))));
  report.services[0].direct = "on";
  report.services[0].direct_connects = 77;
  report.services[0].endpoints[0].direct_bytes_to_client = 99;
  EXPECT_THAT(
      metrics(report),
      AllOf(HasSubstr("ambbpf_service_direct_connects_total{service=\"web\"} 77\n"),
            HasSubstr("ambbpf_endpoint_bytes_total{service=\"web\",endpoint=\"10.0.0.1:80\","
                      "path=\"direct\",direction=\"to_client\"} 99\n")));
}

TEST(Metrics, OfChecksAreOfThoseThatAreChecked) {
  auto report = sample_report();
  report.services[0].endpoints[0].check = "down";
  EXPECT_THAT(
      metrics(report),
      AllOf(HasSubstr("ambbpf_endpoint_check_up{service=\"web\",endpoint=\"10.0.0.1:80\"} 0\n"),
            Not(HasSubstr("check_up{service=\"web\",endpoint=\"[fd00::1]:80\"}")),
            HasSubstr("ambbpf_service_endpoints{service=\"web\",state=\"down\"} 1\n"),
            HasSubstr("ambbpf_service_endpoints{service=\"web\",state=\"in_use\"} 0\n")));
}

TEST(Metrics, EscapeWhatStandsInNames) {
  auto report = sample_report();
  report.services[0].name = "a\"b\\c\nd\xff";
  EXPECT_THAT(metrics(report),
              HasSubstr("ambbpf_service_connections{service=\"a\\\"b\\\\c\\nd\ufffd\"} 12\n"));
  EXPECT_EQ(test::promtool_about(metrics(report)).value_or(""), "");
}

TEST(Metrics, LeaveOutAnAgeThatThereIsNot) {
  auto report = sample_report();
  report.services[0].sources[0].heard_ms.reset();
  EXPECT_THAT(metrics(report), Not(HasSubstr("ambbpf_source_age_seconds")));
  report.services[0].sources[0].heard_ms = 5;
  report.services[0].sources[0].kind = "static";
  EXPECT_THAT(metrics(report), Not(HasSubstr("ambbpf_source_age_seconds")))
      << "it has nothing more to say, so it is never stale";
}

TEST(Metrics, HaveNoSeriesTwice) {
  auto report = sample_report();
  auto removed = report.services[0];
  removed.removed = true;
  report.services.push_back(removed);
  auto replaced = report.services[0].sources[0];
  report.services[0].sources.push_back(replaced);  // named twice by the configuration
  replaced.replaced = true;
  report.services[0].sources.push_back(replaced);
  const auto all = series(metrics(report));
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
}

TEST(Metrics, OfServicesOnlyAreAsManyWhateverTheNumberOfEndpoints) {
  auto report = sample_report();
  const auto few = samples(to_metrics(report, Detail::kServices)).size();
  for (int i = 0; i < 1'000; ++i)
    report.services[0].endpoints.emplace_back().address = "10.0.0.1:" + std::to_string(i + 1);
  const auto many = to_metrics(report, Detail::kServices);
  EXPECT_EQ(samples(many).size(), few);
  EXPECT_THAT(many, Not(HasSubstr("endpoint=")));
  EXPECT_THAT(many, HasSubstr("ambbpf_service_endpoints{service=\"web\",state=\"in_use\"} 1001\n"));
}

TEST(Metrics, OfAProcessWithoutAnythingAreGoodAsWell) {
  const auto said = test::promtool_about(metrics({}));
  if (!said) GTEST_SKIP() << "there is no promtool";
  EXPECT_EQ(*said, "");
}

TEST(Metrics, AreAsPrometheusWantsThem) {
  auto report = sample_report();
  report.services[0].direct = "on";
  const auto said = test::promtool_about(metrics(report));
  if (!said) GTEST_SKIP() << "there is no promtool";
  EXPECT_EQ(*said, "");
}

}  // namespace
}  // namespace ambbpf
