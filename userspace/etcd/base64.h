// SPDX-License-Identifier: Apache-2.0
// RFC 4648 with padding, as etcd's JSON gateway writes keys and values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ambbpf {

std::string base64_encode(std::string_view bytes);

// Nothing for a character outside the alphabet, a wrong length or misplaced padding.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace ambbpf
