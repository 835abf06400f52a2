// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/gather.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>

#include "userspace/config/file_text.h"
#include "userspace/config/suggestion.h"

namespace ambbpf {
namespace {

std::string place_of(const Table& table) {
  return fmt::format("{}:{}", table.file, table.node.line);
}

class Gatherer {
 public:
  explicit Gatherer(std::vector<Mistake>& mistakes) : mistakes_(mistakes) {}

  std::optional<Gathered> gather(const std::string& file);

 private:
  std::optional<Table> read_file(const std::string& file);
  void include(const Table& top);
  void include_pattern(const Table& top, const std::string& pattern);
  void read_included_file(const Table& top, const std::string& file);
  bool collect(const Table& top, const std::string& key, const TomlNode& node);
  void collect_named(const Table& top, const std::string& kind, const TomlNode& node);

  std::vector<Mistake>& mistakes_;
  Gathered gathered_;
  std::set<std::string> files_;                // whose tables are read
  std::map<std::string, std::string> places_;  // of tables: "FILE:LINE"
};

std::optional<Gathered> Gatherer::gather(const std::string& file) {
  auto top = read_file(file);
  if (!top) return std::nullopt;
  for (const auto& [key, node] : top->node.fields) {
    if (key != "defaults")
      collect(*top, key, node);
    else if (node.kind == TomlNode::Kind::kTable)
      gathered_.defaults = Table{file, "defaults", "", node};
    else
      mistakes_.push_back(top->mistake(key, "is a table: [defaults]"));
  }
  include(*top);
  gathered_.top = std::move(*top);
  return std::move(gathered_);
}

std::optional<Table> Gatherer::read_file(const std::string& file) {
  files_.insert(std::filesystem::weakly_canonical(file).string());
  auto text = file_text(file);
  if (!text) {
    mistakes_.push_back({file, 0, "", text.error().message()});
    return std::nullopt;
  }
  auto parsed = parse_toml(*text);
  if (!parsed) {
    mistakes_.push_back({file, parsed.error().line, "", parsed.error().what});
    return std::nullopt;
  }
  return Table{file, "", "", std::move(*parsed)};
}

// False: the key is none of a kind of tables.
bool Gatherer::collect(const Table& top, const std::string& key, const TomlNode& node) {
  if (std::ranges::find(table_kinds, key) == table_kinds.end()) return false;
  if (node.kind != TomlNode::Kind::kTable)
    mistakes_.push_back(top.mistake(key, fmt::format("is a table for each: [{}.NAME]", key)));
  else
    collect_named(top, key, node);
  return true;
}

void Gatherer::collect_named(const Table& top, const std::string& kind, const TomlNode& node) {
  for (const auto& [name, fields] : node.fields) {
    Table table{top.file, kind + "." + as_key(name), name, fields};
    if (fields.kind != TomlNode::Kind::kTable) {
      mistakes_.push_back(table.mistake(fmt::format("is no table, such as [{}.NAME]", kind)));
      continue;
    }
    const auto [first, fresh] = places_.emplace(table.field, place_of(table));
    if (fresh)
      gathered_.tables[kind].push_back(std::move(table));
    else
      mistakes_.push_back(table.mistake("stands in " + first->second + " as well"));
  }
}

void Gatherer::include(const Table& top) {
  const auto& fields = top.node.fields;
  const auto found =
      std::ranges::find_if(fields, [](const auto& field) { return field.first == "include"; });
  if (found == fields.end()) return;
  const auto& node = found->second;
  const bool list = node.kind == TomlNode::Kind::kList;
  for (const auto& item : list ? node.items : std::vector<TomlNode>{node}) {
    if (item.kind != TomlNode::Kind::kText || item.text.empty() ||
        item.text.find('\0') != std::string::npos)
      mistakes_.push_back(
          top.mistake("include", "takes names of files, as in [\"conf.d/*.toml\"]"));
    else
      include_pattern(top, item.text);
  }
}

void Gatherer::include_pattern(const Table& top, const std::string& pattern) {
  const auto whole = (std::filesystem::path(top.file).parent_path() / pattern).string();
  glob_t found{};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> owner(&found, ::globfree);
  const int error = ::glob(whole.c_str(), 0, nullptr, &found);
  const bool is_pattern = pattern.find_first_of("*?[") != std::string::npos;
  if (error == GLOB_NOMATCH && is_pattern) return;
  if (error != 0) {
    mistakes_.push_back(top.mistake("include", fmt::format("{}: no such file", whole)));
    return;
  }
  for (std::size_t i = 0; i < found.gl_pathc; ++i) read_included_file(top, found.gl_pathv[i]);
}

void Gatherer::read_included_file(const Table& top, const std::string& file) {
  if (files_.count(std::filesystem::weakly_canonical(file).string()) != 0) {
    mistakes_.push_back(top.mistake("include", file + " is read already"));
    return;
  }
  const auto included = read_file(file);
  if (!included) return;
  for (const auto& [key, node] : included->node.fields) {
    if (collect(*included, key, node)) continue;
    const bool of_main = key == "include" || key == "defaults" ||
                         (!key.empty() && find_setting(Scope::kProcess, key) != nullptr);
    const auto near = nearest(key, table_kinds);
    mistakes_.push_back(included->mistake(
        key, of_main ? "can stand in " + top.file + " only, which includes this file"
             : near.empty()
                 ? fmt::format("unknown; an included file has {}", fmt::join(table_kinds, ", "))
                 : fmt::format("unknown key; did you mean '{}'?", near)));
  }
}

}  // namespace

std::optional<Gathered> gather_tables(const std::string& file, std::vector<Mistake>& mistakes) {
  return Gatherer(mistakes).gather(file);
}

}  // namespace ambbpf
