// SPDX-License-Identifier: Apache-2.0
// What a command line that is refused is answered with.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace ambbpf {

// Of a command line that `app` has parsed in vain, ending in `error`. Names the verb or the option
// that is nearest to one that does not exist.
std::string parse_failure(const CLI::App& app, const CLI::ParseError& error);

// `message`, which begins with an option's name ("--threads: …"), under the name that the value
// came by: the option's twin in the environment, if it is not among the words.
std::string named_as_given(const CLI::App& app, int argc, const char* const* argv,
                           std::string message);

}  // namespace ambbpf
