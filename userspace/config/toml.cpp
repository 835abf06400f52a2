// SPDX-License-Identifier: Apache-2.0
// The only file that sees toml++, which takes long to compile.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0

#include "userspace/config/toml.h"

#include <toml++/toml.h>

#include <algorithm>

namespace ambbpf {
namespace {

constexpr std::size_t kDeepest = 32;

// Where a string ends that begins at `at` with its quotes.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string three(3, quote);
  const bool long_one = text.substr(at).starts_with(three);
  const std::string_view closing = long_one ? std::string_view(three) : text.substr(at, 1);
  for (at += closing.size(); at < text.size(); ++at) {
    if (text.substr(at).starts_with(closing)) return at + closing.size();
    if (!long_one && text[at] == '\n') return at;
    if (quote == '"' && text[at] == '\\') ++at;
  }
  return text.size();
}

// toml++ sets no limit to the parts of a dotted key and recurses over them. The line of a key that
// has too many; 0: none has.
std::size_t line_of_deep_key(std::string_view text) {
  std::size_t dots = 0;
  std::size_t line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      const auto end = end_of_string(text, at);
      line += static_cast<std::size_t>(
          std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                     text.begin() + static_cast<std::ptrdiff_t>(std::min(end, text.size())), '\n'));
      at = end;
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '\n') ++line;
    if (c == '.' && ++dots > kDeepest) return line;
    if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) dots = 0;
    ++at;
  }
  return 0;
}

TomlNode node_of(const toml::node& node);

TomlNode table_of(const toml::table& table) {
  TomlNode made{.kind = TomlNode::Kind::kTable};
  for (const auto& [key, value] : table) {
    auto& field = made.fields.emplace_back(std::string(key.str()), node_of(value)).second;
    // A table's own line may be that of a table below it.
    field.line = key.source().begin.line;
  }
  std::ranges::stable_sort(made.fields, {}, [](const auto& field) { return field.second.line; });
  return made;
}

TomlNode node_of(const toml::node& node) {
  using Kind = TomlNode::Kind;
  TomlNode made;
  if (const auto* table = node.as_table()) made = table_of(*table);
  if (const auto* text = node.as_string()) made = {.kind = Kind::kText, .text = text->get()};
  if (const auto* number = node.as_integer())
    made = {.kind = Kind::kNumber, .text = std::to_string(number->get())};
  if (const auto* flag = node.as_boolean())
    made = {.kind = Kind::kFlag, .text = flag->get() ? "true" : "false"};
  if (const auto* list = node.as_array()) {
    made.kind = Kind::kList;
    for (const auto& item : *list) made.items.push_back(node_of(item));
  }
  made.line = node.source().begin.line;
  return made;
}

}  // namespace

tl::expected<TomlNode, TomlError> parse_toml(std::string_view document) {
  if (const auto line = line_of_deep_key(document); line != 0)
    return tl::unexpected(TomlError{line, "a key of too many parts"});
  const auto parsed = toml::parse(document);
  if (!parsed) {
    const auto& error = parsed.error();
    return tl::unexpected(TomlError{error.source().begin.line, std::string(error.description())});
  }
  return table_of(parsed.table());
}

}  // namespace ambbpf
