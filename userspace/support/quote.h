// SPDX-License-Identifier: Apache-2.0
// What others wrote, made fit for a log line and for a terminal: ASCII only, no control characters,
// not too long.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ambbpf {

// Line breaks as \n, other control characters and bytes beyond ASCII as \xNN, so that no key or
// value can end a line or steer a terminal. What is printable already stays as it is.
std::string printable(std::string_view text);

// In single quotes; of more than `limit` bytes only the first, and how many there are in all.
std::string quoted(std::string_view text, std::size_t limit = 80);

}  // namespace ambbpf
