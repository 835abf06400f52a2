// SPDX-License-Identifier: Apache-2.0
// Options that several verbs have.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/support/result.h"

namespace CLI {
class App;
}

namespace ambbpf {

// `value` is in milliseconds and has its default before; all outlive the parsing.
void add_duration(CLI::App& app, const std::string& name, const char* env, std::uint64_t& value,
                  const std::string& meaning);
void add_log_level(CLI::App& app, std::string& level);
void add_admin(CLI::App& app, std::string& path, const char* meaning);

// A file that can be read, or an empty name: no file. The error names the option.
Result<void> checked_file(std::string_view option, const std::string& path);

// A name that can be a directory in etcd.
Result<std::string> checked_service(const std::string& name);

}  // namespace ambbpf
