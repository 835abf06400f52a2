// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/config/scopes.h"
#include "userspace/config/suggestion.h"

namespace ambbpf {
namespace {

using Kind = TomlNode::Kind;

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

Result<std::string> text_of(const TomlNode& node) {
  if (node.kind != Kind::kText) return fail("takes a text, in quotes");
  if (has_control_character(node.text)) return fail("has a control character");
  return node.text;
}

// A table's fields as attributes, less the one that is no attribute.
Result<EndpointAttributes> attributes_of(const TomlNode& table, std::string_view less) {
  EndpointAttributes attributes;
  for (const auto& [name, value] : table.fields) {
    if (name == less) continue;
    if (value.kind != Kind::kText && value.kind != Kind::kNumber && value.kind != Kind::kFlag)
      return fail(fmt::format("attribute {}: takes a text or a whole number", name));
    if (name.empty() || has_control_character(name) || has_control_character(value.text))
      return fail(fmt::format("attribute '{}' is empty or has a control character", name));
    attributes.emplace_back(name, value.text);
  }
  return attributes;
}

Result<Given::Item> endpoint_of(const TomlNode& node) {
  if (node.kind != Kind::kTable) {
    auto text = text_of(node);
    if (!text) return fail("takes texts and tables, as in {address = \"10.0.0.1:80\"}");
    return Given::Item{std::move(*text)};
  }
  const auto address =
      std::ranges::find_if(node.fields, [](const auto& field) { return field.first == "address"; });
  if (address == node.fields.end()) return fail("an endpoint has no address");
  auto text = text_of(address->second);
  if (!text) return fail("address: " + text.error().what);
  auto attributes = attributes_of(node, "address");
  if (!attributes) return tl::unexpected(attributes.error());
  return Given::Item{std::move(*text), std::move(*attributes)};
}

Result<std::vector<Given::Item>> list_of(const TomlNode& node,
                                         Result<Given::Item> (*read)(const TomlNode&)) {
  std::vector<Given::Item> items;
  for (const auto& item : node.items) {
    auto made = read(item);
    if (!made) return tl::unexpected(made.error());
    items.push_back(std::move(*made));
  }
  if (items.empty()) return fail("takes at least one");
  return items;
}

Result<Given::Item> text_item_of(const TomlNode& node) {
  auto text = text_of(node);
  if (!text) return tl::unexpected(text.error());
  return Given::Item{std::move(*text)};
}

Result<std::vector<Given::Item>> items_of(const Setting& setting, const TomlNode& node) {
  const auto one = [](Given::Item item) { return std::vector<Given::Item>{std::move(item)}; };
  switch (setting.form) {
    case Form::kText:
      return text_item_of(node).map(one);
    case Form::kTexts:
      return node.kind == Kind::kList ? list_of(node, text_item_of) : text_item_of(node).map(one);
    case Form::kNumber:
      if (node.kind != Kind::kNumber) return fail("takes a whole number, without quotes");
      return one({node.text});
    case Form::kWord:
      if (node.kind == Kind::kFlag) return one({node.text});
      return text_item_of(node).map(one);
    case Form::kFlag:
      if (node.kind != Kind::kFlag) return fail("takes true or false, without quotes");
      return one({node.text});
    case Form::kEndpoints:
      if (node.kind != Kind::kList) return fail("takes a list, as in [\"10.0.0.1:80\"]");
      return list_of(node, endpoint_of);
    case Form::kAttributes:
      if (node.kind != Kind::kTable) return fail("takes a table, as in {zone = \"a\"}");
      return attributes_of(node, {}).map([&](EndpointAttributes fields) {
        return one({"", std::move(fields)});
      });
  }
  return fail("takes nothing");
}

std::string as_written(const std::vector<Given::Item>& items) {
  std::string text;
  for (const auto& [value, fields] : items) {
    if (!text.empty()) text += ", ";
    text += value;
    for (const auto& [name, content] : fields)
      text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, content);
  }
  return text;
}

Result<void> read_setting(const Setting& setting, const TomlNode& node, Draft& draft) {
  auto items = items_of(setting, node);
  if (!items) return tl::unexpected(items.error());
  draft.written.values[std::string(setting.key)] = as_written(*items);
  return setting.read(
      {.items = std::move(*items),
       .as =
           [&](std::string_view value) { return fmt::format("{} = \"{}\"", setting.key, value); }},
      draft);
}

// Where a key is at home that is a stranger here.
std::string home_of(std::string_view key) {
  const auto& settings = all_settings();
  const auto found =
      std::ranges::find_if(settings, [&](const auto& known) { return known.key == key; });
  if (found == settings.end()) return {};
  const auto words = std::ranges::find(kScopes, found->scope, &ScopeWords::scope);
  return std::string(words->place);
}

}  // namespace

Mistake Table::mistake(const std::string& key, std::string what) const {
  const auto at =
      std::ranges::find_if(node.fields, [&](const auto& known) { return known.first == key; });
  return {file, at == node.fields.end() ? node.line : at->second.line,
          field.empty() ? as_key(key) : field + "." + as_key(key), std::move(what)};
}

std::string as_key(const std::string& name) {
  const bool bare = !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-';
  });
  return bare ? name : '"' + name + '"';
}

std::string unknown_key(const std::string& key, Scope scope, const std::vector<std::string>& more) {
  auto known = more;
  for (const auto& setting : all_settings())
    if (setting.scope == scope && !setting.key.empty()) known.emplace_back(setting.key);
  if (const auto near = nearest(key, known); !near.empty())
    return fmt::format("unknown key; did you mean '{}'?", near);
  if (const auto home = home_of(key); !home.empty()) return "unknown key here; it stands " + home;
  return fmt::format("unknown key; there are {}", fmt::join(known, ", "));
}

void read_table(const Table& table, Scope scope, const std::vector<std::string>& others,
                Draft& draft, std::vector<Mistake>& mistakes) {
  for (const auto& [key, node] : table.node.fields) {
    if (std::ranges::find(others, key) != others.end()) continue;
    const auto* setting = key.empty() ? nullptr : find_setting(scope, key);
    if (!setting) {
      mistakes.push_back(table.mistake(key, unknown_key(key, scope, others)));
      continue;
    }
    if (const auto read = read_setting(*setting, node, draft); !read)
      mistakes.push_back(table.mistake(key, read.error().message()));
  }
}

}  // namespace ambbpf
