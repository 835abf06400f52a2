// SPDX-License-Identifier: Apache-2.0
// What others wrote, made fit for a log line: ASCII only, no control characters, not too long.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ambbpf {

// Control characters, bytes beyond ASCII and backslashes as \n, \xNN and \\, so that no key or
// value can end a line or forge another.
std::string printable(std::string_view text);

// In single quotes; of more than `limit` bytes only the first, and how many there are in all.
std::string quoted(std::string_view text, std::size_t limit = 80);

}  // namespace ambbpf
