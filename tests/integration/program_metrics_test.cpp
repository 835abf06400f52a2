// SPDX-License-Identifier: Apache-2.0
// What the program tells Prometheus, and who else may ask by TCP.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "tests/support/etcd_process.h"
#include "tests/support/free_port.h"
#include "tests/support/named_backend.h"
#include "tests/support/program.h"
#include "tests/support/prometheus_process.h"
#include "tests/support/promtool.h"
#include "tests/support/status.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ProgramMetrics : public testing::Test {
 protected:
  std::string admin() const { return (place.path() / "admin.sock").string(); }
  std::string url(const std::string& path) const { return "http://" + to_string(network) + path; }
  // A configuration whose service is `what`.
  std::vector<std::string> run_with(const std::string& what, const std::string& process = "") {
    const auto file = place.path() / "ambbpf.toml";
    std::ofstream(file) << fmt::format(
        "admin = \"{}\"\nadmin_listen = \"{}\"\nthreads = 1\n{}"
        "[service.\"we\\\"b\\\\\"]\nlisten = \"{}\"\n{}",
        admin(), to_string(network), process, to_string(front), what);
    return {"run", "--config", file.string()};
  }
  std::string metrics() const { return call("GET", url("/metrics")).body; }
  // Of a sample by its whole name and labels; -1: there is none.
  double value_of(const std::string& series) const {
    std::istringstream all(metrics());
    for (std::string line; std::getline(all, line);)
      if (line.starts_with(series + ' ')) return std::stod(line.substr(series.size() + 1));
    return -1;
  }
  static std::string of_service(const std::string& name, const std::string& more = "") {
    return fmt::format("ambbpf_{}{{service=\"we\\\"b\\\\\"{}}}", name, more);
  }
  std::string endpoints(const NamedBackend& backend, const std::string& more = "") const {
    return fmt::format("endpoints = [\"{}\"{}]\n", to_string(backend.listener().address()), more);
  }

  TemporaryDirectory place;
  tcp::endpoint front = free_address();
  tcp::endpoint network = free_address();
};

TEST_F(ProgramMetrics, CountConnectionsTheirBytesAndTimes) {
  NamedBackend one("one");
  Program ambassador(run_with(endpoints(one)));
  ASSERT_TRUE(ambassador.says("metrics on " + url("/metrics"))) << ambassador.err();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(ask(front), "one");
  ASSERT_TRUE(eventually([&] {
    return value_of(of_service("service_connection_duration_seconds_count")) == 3;
  })) << metrics();
  EXPECT_EQ(value_of(of_service("service_connections_total")), 3);
  EXPECT_EQ(value_of(of_service("service_connections")), 0);
  EXPECT_EQ(value_of(of_service("service_bytes_total", ",direction=\"to_client\"")), 9);
  EXPECT_EQ(value_of(of_service("service_connect_duration_seconds_count")), 3);
  EXPECT_GT(value_of(of_service("service_connect_duration_seconds_sum")), 0);
  EXPECT_EQ(value_of(of_service("first_byte_seconds_count")), 3);
  const auto endpoint =
      fmt::format(",endpoint=\"{}\",path=\"proxy\"", to_string(one.listener().address()));
  EXPECT_EQ(value_of(of_service("endpoint_connections_total", endpoint)), 3);
  EXPECT_EQ(value_of(of_service("endpoint_bytes_total", endpoint + ",direction=\"to_client\"")), 9);
  EXPECT_EQ(value_of("ambbpf_relay_connections_total"), 3);
}

TEST_F(ProgramMetrics, CountWhatFails) {
  NamedBackend one("one");
  const auto nobody = free_address();
  Program ambassador(run_with(endpoints(one, fmt::format(", \"{}\"", to_string(nobody)))));
  ASSERT_TRUE(ambassador.says("metrics on ")) << ambassador.err();
  for (int i = 0; i < 2; ++i) ASSERT_EQ(ask(front), "one");
  EXPECT_EQ(value_of(of_service("service_connect_failures_total")), 1);
  EXPECT_EQ(value_of(of_service("service_connect_retries_total")), 1);
  EXPECT_EQ(value_of(of_service("service_ejections_total", ",reason=\"connect\"")), 1);
  EXPECT_EQ(value_of(of_service("endpoint_connect_failures_total",
                                fmt::format(",endpoint=\"{}\",path=\"proxy\"", to_string(nobody)))),
            1);
}

TEST_F(ProgramMetrics, TellHowManyAreHeldAndHowManyWereHeldInVain) {
  EtcdProcess etcd;
  NamedBackend one("one");
  const auto source = "source = \"etcd.main\"\n[etcd.main]\nurls = [\"" + etcd.url() + "\"]\n";
  Program ambassador(run_with("hold = \"5m\"\n" + source));
  ASSERT_TRUE(ambassador.says("metrics on ")) << ambassador.err();
  auto held = in_background([this] { return ask(front); });
  EXPECT_TRUE(eventually([&] { return value_of(of_service("service_held_connections")) == 1; }));
  run_with("hold = \"1ms\"\n" + source);
  ASSERT_EQ(run({"reload", "--admin", admin()}).code, 0);
  EXPECT_TRUE(eventually([&] {  // as soon as the worker has heard of the reload
    return Peer::connect_to(front).read_until_end().error == std::errc::connection_reset;
  }));
  EXPECT_GE(value_of(of_service("service_failed_connections_total", ",reason=\"no_endpoint\"")), 1);
  EXPECT_EQ(value_of(of_service("service_failed_connections_total", ",reason=\"gave_up\"")), 0);
  etcd.put_v3("/services/we\"b\\/one", registered(one.listener().address()));
  EXPECT_EQ(held.get(), "one");
  EXPECT_EQ(value_of(of_service("service_held_connections")), 0);
  EXPECT_GE(value_of(of_service("service_held_connections_total")), 2);
}

TEST_F(ProgramMetrics, TellHowLongAChangeInEtcdTakesToBeInForce) {
  EtcdProcess etcd;
  NamedBackend one("one");
  Program ambassador(run_with("source = \"etcd.main\"\n[etcd.main]\napi = \"v3\"\nurls = [\"" +
                              etcd.url() + "\"]\n"));
  ASSERT_TRUE(ambassador.says("metrics on ")) << ambassador.err();
  const std::string source = ",source=\"etcd.main\",kind=\"etcd v3\"";
  ASSERT_TRUE(eventually(
      [&] { return value_of(of_service("source_state", source + ",state=\"following\"")) == 1; }));
  EXPECT_EQ(value_of(of_service("source_propagation_seconds_count", source)), 0)
      << "a listing is no change";
  etcd.put_v3("/services/we\"b\\/one", registered(one.listener().address()));
  EXPECT_TRUE(eventually([&] {
    return value_of(of_service("source_propagation_seconds_count", source)) == 1;
  })) << metrics();
  EXPECT_EQ(ask(front), "one");
}

TEST_F(ProgramMetrics, OfEndpointsCanBeLeftOutByAReload) {
  NamedBackend one("one");
  Program ambassador(run_with(endpoints(one)));
  ASSERT_TRUE(ambassador.says("metrics on ")) << ambassador.err();
  EXPECT_THAT(metrics(), HasSubstr("ambbpf_endpoint_"));
  run_with(endpoints(one), "metrics_per_endpoint = false\n");
  ASSERT_EQ(run({"reload", "--admin", admin()}).code, 0);
  EXPECT_THAT(metrics(), Not(HasSubstr("ambbpf_endpoint_")));
  EXPECT_EQ(value_of("ambbpf_config_generation"), 2);
}

TEST_F(ProgramMetrics, ArePlainToPromtoolAndSayWhatTheStatusSays) {
  NamedBackend one("one");
  Program ambassador(run_with(endpoints(one)));
  ASSERT_TRUE(ambassador.says("metrics on ")) << ambassador.err();
  ASSERT_EQ(ask(front), "one");
  EXPECT_EQ(promtool_about(metrics()).value_or(""), "");
  const auto status = status_at("/processes/0", admin());
  EXPECT_EQ(value_of(of_service("service_connections_total")),
            status["services"][0]["connections_total"].GetDouble());
  EXPECT_EQ(value_of("process_start_time_seconds"),
            status["process"]["started_unix_ms"].GetDouble() / 1000);
  EXPECT_GT(value_of("process_resident_memory_bytes"), 1e6);
  EXPECT_GT(value_of("process_open_fds"), 3);
  EXPECT_LT(value_of("process_open_fds"), 1000);
}

TEST_F(ProgramMetrics, AreReadOnlyByTcpAndForNobodyElsesPages) {
  NamedBackend one("one");
  Program ambassador(run_with(endpoints(one)));
  ASSERT_TRUE(ambassador.says("metrics on ")) << ambassador.err();
  EXPECT_EQ(call("POST", url("/reload")).status, 404);
  EXPECT_EQ(call("POST", url("/metrics")).status, 405);
  EXPECT_EQ(call("GET", url("/status")).status, 200);
  auto rebound = Peer::connect_to(network);
  rebound.send("GET /metrics HTTP/1.1\r\nHost: rebound.example\r\n\r\n");
  EXPECT_THAT(rebound.read_all(), StartsWith("HTTP/1.1 421 "));
}

TEST_F(ProgramMetrics, APortThatIsTakenIsToldBeforeAnythingIsServed) {
  NamedBackend one("one");
  const Listener taken(network);
  const auto refused = run(run_with(endpoints(one)));
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("admin_listen: listen on " + to_string(network) +
                                     ": Address already in use"));
}

TEST_F(ProgramMetrics, OfTenThousandEndpointsAreWhole) {
  std::string all = "endpoints = [";
  for (int i = 0; i < 10'000; ++i) all += fmt::format("\"127.1.{}.{}:1\",", i / 250, i % 250 + 1);
  Program ambassador(run_with(all + "]\n"));
  ASSERT_TRUE(ambassador.says("metrics on ")) << ambassador.err();
  const auto text = metrics();
  EXPECT_EQ(promtool_about(text).value_or(""), "");
  EXPECT_EQ(value_of(of_service("service_endpoints", ",state=\"in_use\"")), 10'000);
  std::size_t ejected = 0;
  for (std::size_t at = 0; (at = text.find("\nambbpf_endpoint_ejected{", at)) != text.npos; ++at)
    ++ejected;
  EXPECT_EQ(ejected, 10'000U);
}

TEST_F(ProgramMetrics, AreScrapedByPrometheus) {
  NamedBackend one("one");
  Program ambassador(run_with(endpoints(one)));
  ASSERT_TRUE(ambassador.says("metrics on ")) << ambassador.err();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(ask(front), "one");
  try {
    PrometheusProcess prometheus(to_string(network));
    EXPECT_TRUE(eventually([&] {
      return prometheus.value_of("ambbpf_service_connections_total") == 3.0;
    })) << prometheus.log();
    EXPECT_EQ(prometheus.value_of("up"), 1.0);
    EXPECT_EQ(prometheus.value_of("count(ambbpf_build_info)"), 1.0);
  } catch (const std::system_error& missing) {
    GTEST_SKIP() << missing.what();
  }
}

}  // namespace
}  // namespace ambbpf::test
