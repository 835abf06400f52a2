// SPDX-License-Identifier: Apache-2.0
// What is written of the settings, made from their one list.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace ambbpf {

// REFERENCE.md
std::string settings_reference();

// ambbpf(1): `app` has the verbs and their options.
std::string manual_of_commands(const CLI::App& app);

// ambbpf.toml(5)
std::string manual_of_file();

}  // namespace ambbpf
