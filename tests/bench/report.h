// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace ambbpf::bench {

// The figures of one measurement, as one line of JSON.
class Report {
 public:
  Report& add(std::string_view name, double figure) {
    json_ += fmt::format("{}\"{}\": {:.10g}", json_.empty() ? "" : ", ", name, figure);
    return *this;
  }
  std::string line() const { return "{" + json_ + "}\n"; }

 private:
  std::string json_;
};

}  // namespace ambbpf::bench
