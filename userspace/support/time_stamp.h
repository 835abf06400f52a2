// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

namespace ambbpf {

// UTC with microseconds: "2026-11-27T02:19:10.000123Z" (RFC 3339).
std::string time_stamp(std::chrono::system_clock::time_point time);

}  // namespace ambbpf
