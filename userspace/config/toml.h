// SPDX-License-Identifier: Apache-2.0
// A TOML document as a tree, and where everything stands in it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace ambbpf {

struct TomlNode {
  enum class Kind { kText, kNumber, kFlag, kList, kTable, kOther };
  using Fields = std::vector<std::pair<std::string, TomlNode>>;

  Kind kind = Kind::kOther;
  std::size_t line = 0;
  std::string text{};             // of kText, kNumber (a whole one) and kFlag ("true")
  std::vector<TomlNode> items{};  // of kList
  Fields fields{};                // of kTable, in the order of their lines
};

struct TomlError {
  std::size_t line;
  std::string what;
};

// Whatever the bytes are.
tl::expected<TomlNode, TomlError> parse_toml(std::string_view document);

}  // namespace ambbpf
