// SPDX-License-Identifier: Apache-2.0
// The kinds of values that settings have. What they refuse they say without the setting's name,
// which depends on the way the value came.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/config/draft.h"

namespace ambbpf {

// "250ms", "3s" and "1m"; at most a day.
Result<std::chrono::milliseconds> read_duration(const Given& given);
Result<std::uint64_t> read_number(const Given& given, std::uint64_t least, std::uint64_t most);
Result<std::string> read_choice(const Given& given, const std::vector<std::string>& choices);
Result<bool> read_flag(const Given& given);

// "127.0.0.1:80", "[::1]:80", or ":80" for every address.
Result<tcp::endpoint> read_listen_address(const std::string& text);

// A name or an id, which also ends the key in etcd.
bool is_container(std::string_view word);

// Each may stand once, and none may be a field that the value in etcd has anyhow.
Result<void> check_attributes(const EndpointAttributes& attributes);

}  // namespace ambbpf
