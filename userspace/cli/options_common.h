// SPDX-License-Identifier: Apache-2.0
// Options that several verbs have.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/http/http_client.h"
#include "userspace/support/result.h"

namespace ambbpf {

// `value` has its default before, a duration's is in milliseconds; all outlive the parsing.
void add_duration(CLI::App& app, const std::string& name, const char* env, std::uint64_t& value,
                  const std::string& meaning);
void add_number(CLI::App& app, const std::string& name, const char* env, unsigned& value,
                unsigned least, unsigned most, const std::string& meaning);
void add_choice(CLI::App& app, const std::string& name, const char* env, std::string& value,
                const std::vector<std::string>& choices, const std::string& meaning);
void add_log_level(CLI::App& app, std::string& level);
void add_admin(CLI::App& app, std::string& path, const char* meaning);

// Of --SERVER-ca, --SERVER-cert and --SERVER-key, each a file or empty. One that cannot be read is
// told of now, and not in some back-off.
Result<HttpAccess> checked_tls(std::string_view server, std::string ca, std::string certificate,
                               std::string key);

// A name that can be a service's (endpoints/service_name.h).
Result<std::string> checked_service(const std::string& name);

}  // namespace ambbpf
