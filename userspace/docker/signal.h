// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace ambbpf {

// The number of a signal on Linux as Docker lets people write it: "SIGTERM", "term", "15",
// "SIGRTMIN+3", "RTMAX-1".
std::optional<int> signal_number(std::string_view text);

}  // namespace ambbpf
