// SPDX-License-Identifier: Apache-2.0
#include "tests/support/prometheus_process.h"

#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/pointer.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <sstream>

#include "tests/support/etcd_process.h"
#include "tests/support/free_port.h"
#include "tests/support/start_server.h"

namespace ambbpf::test {

PrometheusProcess::PrometheusProcess(const std::string& scraped) {
  const auto listen = fmt::format("127.0.0.1:{}", free_port());
  url_ = "http://" + listen;
  const auto file = (place_.path() / "prometheus.yml").string();
  std::ofstream(file) << "scrape_configs:\n- job_name: ambbpf\n  scrape_interval: 1s\n"
                      << "  static_configs:\n  - targets: ['" << scraped << "']\n";
  pid_ = start_server({"/usr/bin/prometheus", "--config.file=" + file,
                       "--storage.tsdb.path=" + (place_.path() / "data").string(),
                       "--web.listen-address=" + listen},
                      place_.path() / "log");
}

PrometheusProcess::~PrometheusProcess() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::optional<double> PrometheusProcess::value_of(const std::string& expression) const {
  const auto answer = call("POST", url_ + "/api/v1/query", "query=" + expression);
  rapidjson::Document document;
  if (document.Parse(answer.body.c_str()).HasParseError()) return std::nullopt;
  const auto* value = rapidjson::Pointer("/data/result/0/value/1").Get(document);
  if (!value || !value->IsString()) return std::nullopt;
  return std::stod(value->GetString());
}

std::string PrometheusProcess::log() const {
  std::ostringstream text;
  text << std::ifstream(place_.path() / "log").rdbuf();
  return text.str();
}

}  // namespace ambbpf::test
