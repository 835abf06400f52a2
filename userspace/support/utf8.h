// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace ambbpf {

// U+FFFD in place of every byte that is part of no UTF-8 character.
std::string valid_utf8(std::string_view text);

}  // namespace ambbpf
