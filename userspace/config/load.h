// SPDX-License-Identifier: Apache-2.0
// The configuration file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "userspace/config/settings.h"

namespace ambbpf {

// One thing that is wrong in a file.
struct Mistake {
  std::string file;
  std::size_t line = 0;  // 0: the file as a whole
  std::string field;     // "service.web.hold"; empty: no one field
  std::string what;

  // One line: "/etc/ambbpf/ambbpf.toml:7: service.web.hodl: unknown key; did you mean 'hold'?"
  std::string text() const;
};

// All of the settings, or all mistakes, in the order of files and lines.
using Loaded = tl::expected<Settings, std::vector<Mistake>>;

Loaded load_settings(const std::filesystem::path& file);

}  // namespace ambbpf
