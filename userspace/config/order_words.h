// SPDX-License-Identifier: Apache-2.0
// The verbs by which an operator orders something of a running process: drain, enable, reset, set.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "userspace/support/result.h"

namespace ambbpf {

struct OrderOptions {
  std::optional<std::filesystem::path> admin;  // absent: every process that is found
  std::string verb;                            // "drain", "enable", "reset", "set"
  std::string service;
  std::string endpoint;      // empty: all of the service
  std::uint32_t weight = 0;  // of "set"
};

class OrderWords {
 public:
  explicit OrderWords(CLI::App& app);

  bool parsed() const;
  Result<OrderOptions> options() const;

 private:
  CLI::App& add_verb(CLI::App& app, const char* name, const char* meaning);

  CLI::App& drain_;
  CLI::App& enable_;
  CLI::App& reset_;
  CLI::App& set_;
  std::string admin_;
  std::string what_;
  std::string service_;
  std::string endpoint_;
  std::string weight_;
};

}  // namespace ambbpf
