// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace ambbpf::test {

// What `promtool check metrics` has to say of a text; empty: all is well. Nothing: there is no
// promtool.
std::optional<std::string> promtool_about(const std::string& metrics);

}  // namespace ambbpf::test
