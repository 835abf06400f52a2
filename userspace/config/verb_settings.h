// SPDX-License-Identifier: Apache-2.0
// Settings as options of a verb.
#pragma once

#include <CLI/CLI.hpp>
#include <utility>
#include <vector>

#include "userspace/config/setting.h"

namespace ambbpf {

// Reads what CLI11 has found, one word after the other.
Result<void> read_option(const Setting& setting, const CLI::Option& option, Draft& draft);

// An option without a value to begin with; the result may still be changed.
CLI::Option& add_setting(CLI::App& app, const Setting& setting);

class VerbSettings {
 public:
  // Adds an option for every setting that `verb` takes to `app`, which outlives *this.
  VerbSettings(CLI::App& app, Verb verb);

  Result<Draft> read() const;

 private:
  std::vector<std::pair<const Setting*, const CLI::Option*>> options_;
};

}  // namespace ambbpf
