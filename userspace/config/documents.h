// SPDX-License-Identifier: Apache-2.0
// What is written of the settings and of the command line, made from what the program itself reads.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "userspace/config/command_line.h"

namespace ambbpf {

// REFERENCE.md
std::string settings_reference();

// ambbpf(1), and a page for each verb: `app` has them, with their options.
std::vector<Document> manual_of_commands(const CLI::App& app);

// ambbpf.toml(5)
Document manual_of_file();

// For bash, zsh and fish.
std::vector<Document> completions(const CLI::App& app);

inline std::vector<const CLI::App*> all_verbs(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

inline bool is_flag(const CLI::Option& option) { return option.get_items_expected_max() == 0; }

}  // namespace ambbpf
