// SPDX-License-Identifier: Apache-2.0
// What --help prints.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

namespace ambbpf {

// For the program and all its verbs: what is given without a "--" under its type, as it is to be
// written; defaults and the twins in the environment behind the description; lines of 80 columns.
std::shared_ptr<CLI::Formatter> make_help_formatter();

// Command lines that can be typed as they stand, without the "ambbpf" before them.
void add_examples(CLI::App& verb, const std::vector<std::string>& command_lines);

}  // namespace ambbpf
