// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "tests/support/program.h"

namespace ambbpf::test {

// A real Prometheus, on a free loopback port, that scrapes one address every second. It goes with
// the object, or with the test process. Throws std::system_error where there is none.
class PrometheusProcess {
 public:
  explicit PrometheusProcess(const std::string& scraped);  // "127.0.0.1:9110"
  ~PrometheusProcess();
  PrometheusProcess(const PrometheusProcess&) = delete;
  PrometheusProcess& operator=(const PrometheusProcess&) = delete;

  // The value of an expression that has one sample.
  std::optional<double> value_of(const std::string& expression) const;
  std::string log() const;

 private:
  TemporaryDirectory place_;
  std::string url_;
  pid_t pid_ = -1;
};

}  // namespace ambbpf::test
