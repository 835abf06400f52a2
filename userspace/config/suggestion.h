// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ambbpf {

// What was meant by a word that is none of `known`. Empty: none is near enough.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace ambbpf
