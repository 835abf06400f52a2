// SPDX-License-Identifier: Apache-2.0
// The only file that sees toml++, which takes long to compile.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
// One of them does not hold of "[.a]"; what follows it makes an error of that, as it should.
#define TOML_ASSERT(expression) static_assert(true)

#include "userspace/config/toml.h"

#include <toml++/toml.h>

#include <algorithm>

namespace ambbpf {
namespace {

constexpr std::size_t kDeepest = 32;

bool is_control_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f;
}

// Where a text in quotes ends, or its line.
std::size_t end_of_text(std::string_view document, std::size_t at) {
  const char quote = document[at++];
  for (; at < document.size() && document[at] != '\n'; ++at) {
    if (document[at] == quote) return at + 1;
    if (quote == '"' && document[at] == '\\') ++at;
  }
  return std::min(at, document.size());
}

// What toml++ 3.3 has undefined behaviour for: it recurses over the parts of a dotted key, however
// many, and does not expect all that is not ASCII, or a NUL, where TOML forbids it anyhow: also not
// in quotes within what it takes for a number, which goes on up to a space. Texts of several lines
// go the same way; no setting has one.
class Scan {
 public:
  explicit Scan(std::string_view document) : document_(document) {
    if (document.starts_with("\xef\xbb\xbf")) at_ = 3;  // a byte order mark
  }

  // Empty: nothing to object to.
  std::string_view objection() {
    while (at_ < document_.size())
      if (const auto what = step(); !what.empty()) return what;
    return {};
  }

  std::size_t line() const {
    const auto before = document_.substr(0, at_);
    return 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  }

 private:
  std::string_view step() {
    const char c = document_[at_];
    if (is_control_character(c)) return "a control character";
    if (static_cast<unsigned char>(c) >= 0x80)
      return "a character that is not ASCII, outside of quotes and comments";
    if (c == '"' || c == '\'') {
      const std::string_view before = in_value_ ? " \t\n=,[{" : " \t\n=,[{.\xbf";
      if (at_ > 0 && before.find(document_[at_ - 1]) == std::string::npos)
        return "a quote within a word";
      if (document_.substr(at_).starts_with(std::string(3, c)))
        return "a text of several lines; there is no use for one";
      return pass(end_of_text(document_, at_));
    }
    if (c == '#') return pass(std::min(document_.find('\n', at_), document_.size()));
    if (c == '.' && ++dots_ > kDeepest) return "a key of too many parts";
    if ((c == '[' || c == '{') && !may_open()) return "a bracket within a word";
    if (c == '=' && std::exchange(has_equals_, true)) return "a second '='";
    follow(c);
    if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) dots_ = 0;
    ++at_;
    return {};
  }

  void follow(char c) {
    if (c == '=') in_value_ = true;
    if (c == '\n' || c == ',' || c == '{') has_equals_ = false;
    if (in_value_ && (c == '[' || c == '{')) ++depth_;
    if (depth_ > 0 && (c == ']' || c == '}')) --depth_;
    if (c == '\n' && depth_ == 0) in_value_ = false;
  }

  bool may_open() const {
    const auto last = document_.substr(0, at_).find_last_not_of(" \t");
    return last == std::string_view::npos ||
           std::string_view("\n=,[{\xbf").find(document_[last]) != std::string_view::npos;
  }

  std::string_view pass(std::size_t end) {
    const auto passed = document_.substr(at_, end - at_);
    at_ = end;
    return std::ranges::any_of(passed, is_control_character) ? "a control character" : "";
  }

  std::string_view document_;
  std::size_t at_ = 0;
  std::size_t dots_ = 0;     // in a row, of one key
  bool has_equals_ = false;  // what stands between two commas, or on a line
  bool in_value_ = false;
  std::size_t depth_ = 0;  // of brackets in it
};

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
  Scan scan(document);
  if (const auto what = scan.objection(); !what.empty())
    return tl::unexpected(TomlError{scan.line(), std::string(what)});
  const auto parsed = toml::parse(document);
  if (!parsed) {
    const auto& error = parsed.error();
    return tl::unexpected(TomlError{error.source().begin.line, std::string(error.description())});
  }
  return table_of(parsed.table());
}

}  // namespace ambbpf
