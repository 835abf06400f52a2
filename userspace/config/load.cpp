// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/load.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "userspace/config/complete.h"
#include "userspace/config/file_text.h"
#include "userspace/config/suggestion.h"
#include "userspace/config/tables.h"
#include "userspace/endpoints/service_name.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

// Reads a file and those that it includes, then makes the settings of all tables found.
class Loader {
 public:
  Loaded load(const std::string& file) {
    read_main_file(file);
    if (mistakes_.empty() || !tables_.empty()) make_settings();
    if (mistakes_.empty()) return std::move(settings_);
    std::ranges::stable_sort(mistakes_, {},
                             [](const Mistake& m) { return std::tie(m.file, m.line); });
    return tl::unexpected(std::move(mistakes_));
  }

 private:
  void read_main_file(const std::string& file);
  bool read_file(const std::string& file, Table& top);
  void include(const Table& top);
  void include_pattern(const Table& top, const std::string& pattern);
  void read_included_file(const Table& top, const std::string& file);
  bool collect(const Table& top, const std::string& key, const TomlNode& node);
  void collect_named(const Table& top, const std::string& kind, const TomlNode& node);

  void make_settings();
  void make_etcd(const Table& table);
  void make_docker(const Table& table);
  void make_service(const Table& table);
  void make_registration(const Table& table);
  void find_sources(const Table& table, ServiceSettings& service);
  void check_listen(const Table& table, const ServiceSettings& service);
  void find_only(const Table& table, const std::string& key, const std::string& kind,
                 std::string& name);
  void add_flaw(const Table& table, const Flaw& flaw);

  Settings settings_;
  std::vector<Mistake> mistakes_;
  std::set<std::string> files_;                       // whose tables are read
  std::map<std::string, std::vector<Table>> tables_;  // by kind: "etcd"
  std::map<std::string, std::string> places_;         // of what may stand once: "FILE:LINE"
  std::optional<Table> defaults_;
  Draft default_draft_;
};

const std::vector<std::string> table_kinds{"etcd", "docker", "service", "register"};

std::string place_of(const Table& table) {
  return fmt::format("{}:{}", table.file, table.node.line);
}

bool Loader::read_file(const std::string& file, Table& top) {
  files_.insert(std::filesystem::weakly_canonical(file).string());
  auto text = file_text(file);
  if (!text) {
    mistakes_.push_back({file, 0, "", text.error().message()});
    return false;
  }
  auto parsed = parse_toml(*text);
  if (!parsed) {
    mistakes_.push_back({file, parsed.error().line, "", parsed.error().what});
    return false;
  }
  top = {file, "", "", std::move(*parsed)};
  return true;
}

void Loader::read_main_file(const std::string& file) {
  Table top;
  if (!read_file(file, top)) return;
  auto others = table_kinds;
  others.insert(others.end(), {"include", "defaults"});
  Draft draft;
  read_table(top, Scope::kProcess, others, draft, mistakes_);
  settings_.process = draft.process;
  settings_.process.written = std::move(draft.written);
  for (const auto& [key, node] : top.node.fields) {
    if (key != "defaults") {
      collect(top, key, node);
    } else if (node.kind == TomlNode::Kind::kTable) {
      defaults_ = Table{file, "defaults", "", node};
    } else {
      mistakes_.push_back(top.mistake(key, "is a table: [defaults]"));
    }
  }
  include(top);
}

// False: the key is none of a kind of tables.
bool Loader::collect(const Table& top, const std::string& key, const TomlNode& node) {
  if (std::ranges::find(table_kinds, key) == table_kinds.end()) return false;
  if (node.kind != TomlNode::Kind::kTable)
    mistakes_.push_back(top.mistake(key, fmt::format("is a table for each: [{}.NAME]", key)));
  else
    collect_named(top, key, node);
  return true;
}

void Loader::collect_named(const Table& top, const std::string& kind, const TomlNode& node) {
  for (const auto& [name, fields] : node.fields) {
    Table table{top.file, kind + "." + as_key(name), name, fields};
    if (fields.kind != TomlNode::Kind::kTable) {
      mistakes_.push_back(table.mistake(fmt::format("is no table, such as [{}.NAME]", kind)));
      continue;
    }
    const auto [first, fresh] = places_.emplace(table.field, place_of(table));
    if (fresh)
      tables_[kind].push_back(std::move(table));
    else
      mistakes_.push_back(table.mistake("stands in " + first->second + " as well"));
  }
}

void Loader::include(const Table& top) {
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

void Loader::include_pattern(const Table& top, const std::string& pattern) {
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

void Loader::read_included_file(const Table& top, const std::string& file) {
  if (files_.count(std::filesystem::weakly_canonical(file).string()) != 0) {
    mistakes_.push_back(top.mistake("include", file + " is read already"));
    return;
  }
  Table included;
  if (!read_file(file, included)) return;
  for (const auto& [key, node] : included.node.fields) {
    if (collect(included, key, node)) continue;
    const bool of_main = key == "include" || key == "defaults" ||
                         (!key.empty() && find_setting(Scope::kProcess, key) != nullptr);
    const auto near = nearest(key, table_kinds);
    mistakes_.push_back(included.mistake(
        key, of_main ? "can stand in " + top.file + " only, which includes this file"
             : near.empty()
                 ? fmt::format("unknown; an included file has {}", fmt::join(table_kinds, ", "))
                 : fmt::format("unknown key; did you mean '{}'?", near)));
  }
}

void Loader::make_settings() {
  if (defaults_) read_table(*defaults_, Scope::kService, {}, default_draft_, mistakes_);
  for (const auto& table : tables_["etcd"]) make_etcd(table);
  for (const auto& table : tables_["docker"]) make_docker(table);
  for (const auto& table : tables_["service"]) make_service(table);
  for (const auto& table : tables_["register"]) make_registration(table);
  const bool nothing = tables_["service"].empty() && tables_["register"].empty();
  if (nothing && mistakes_.empty())
    mistakes_.push_back({*files_.begin(), 0, "", "neither a service nor a registration"});
}

void Loader::add_flaw(const Table& table, const Flaw& flaw) {
  mistakes_.push_back(flaw.setting.empty() ? table.mistake(flaw.what)
                                           : table.mistake(flaw.setting, flaw.what));
}

void Loader::make_etcd(const Table& table) {
  Draft draft;
  read_table(table, Scope::kEtcd, {}, draft, mistakes_);
  draft.etcd.name = table.name;
  draft.etcd.written = draft.written;
  auto made = complete_etcd(Way::kFile, draft);
  if (made)
    settings_.etcds.push_back(std::move(*made));
  else
    add_flaw(table, made.error());
}

void Loader::make_docker(const Table& table) {
  Draft draft;
  read_table(table, Scope::kDocker, {}, draft, mistakes_);
  draft.docker.name = table.name;
  draft.docker.written = draft.written;
  auto made = complete_docker(Way::kFile, draft);
  if (made)
    settings_.dockers.push_back(std::move(*made));
  else
    add_flaw(table, made.error());
}

bool has_own_source(const TomlNode& table) {
  return std::ranges::any_of(table.fields, [](const auto& field) {
    return field.first == "source" || field.first == "forward" || field.first == "endpoints";
  });
}

void Loader::make_service(const Table& table) {
  auto draft = default_draft_;
  if (has_own_source(table.node)) draft.service.sources = {};
  read_table(table, Scope::kService, {}, draft, mistakes_);
  auto& service = draft.service;
  service.name = table.name;
  service.written = std::move(draft.written);
  if (const auto why = why_no_service(table.name); !why.empty())
    mistakes_.push_back(table.mistake(fmt::format("cannot name a service: it {}", why)));
  find_sources(table, service);
  check_listen(table, service);
  settings_.services.push_back(std::move(service));
}

void Loader::find_sources(const Table& table, ServiceSettings& service) {
  auto& sources = service.sources;
  if (sources == SourceSettings()) {
    if (has_own_source(table.node)) return;  // which is wrong, as has been said
    if (tables_["etcd"].size() != 1) {
      mistakes_.push_back(
          table.mistake(tables_["etcd"].empty()
                            ? "needs source, forward or endpoints, or one [etcd.NAME] for all"
                            : "needs source, as in source = \"etcd.NAME\": there are several"));
      return;
    }
    sources.etcd = {tables_["etcd"][0].name};
  }
  for (const auto& [kind, names] :
       {std::pair("etcd", &sources.etcd), std::pair("docker", &sources.docker)})
    for (auto& name : *names) find_only(table, "source", kind, name);
}

// Sees that [KIND.NAME] is there; where no name is given, the only one is meant.
void Loader::find_only(const Table& table, const std::string& key, const std::string& kind,
                       std::string& name) {
  std::vector<std::string> known;
  for (const auto& candidate : tables_[kind]) known.push_back(candidate.name);
  if (name.empty() && known.size() == 1) name = known[0];
  if (std::ranges::find(known, name) != known.end()) return;
  const auto near = nearest(name, known);
  const auto what = name.empty()
                        ? fmt::format("needs {} = \"NAME\": there {}", kind,
                                      known.empty() ? "is none" : "are several")
                        : fmt::format("there is no [{}.{}]{}", kind, as_key(name),
                                      near.empty() ? "" : "; did you mean '" + near + "'?");
  const bool given =
      std::ranges::any_of(table.node.fields, [&](const auto& field) { return field.first == key; });
  mistakes_.push_back(given ? table.mistake(key, what) : table.mistake(what));
}

void Loader::check_listen(const Table& table, const ServiceSettings& service) {
  if (service.listen.empty() && std::ranges::none_of(table.node.fields, [](const auto& field) {
        return field.first == "listen";
      }))
    mistakes_.push_back(table.mistake("needs listen, as in listen = \":8080\""));
  for (const auto& address : service.listen) {
    const auto here = table.mistake("listen", "");
    const auto place = fmt::format("{}:{} ({})", here.file, here.line, table.field);
    const auto [first, fresh] = places_.emplace("listen " + to_string(address), place);
    if (!fresh)
      mistakes_.push_back(table.mistake(
          "listen", fmt::format("{} is taken in {}", to_string(address), first->second)));
  }
}

void Loader::make_registration(const Table& table) {
  Draft draft;
  read_table(table, Scope::kRegistration, {}, draft, mistakes_);
  draft.registration.name = table.name;
  draft.registration.written = draft.written;
  auto made = complete_registration(draft);
  if (!made) {
    add_flaw(table, made.error());
    return;
  }
  find_only(table, "etcd", "etcd", made->etcd);
  if (made->docker.empty() && tables_["docker"].empty()) {
    made->docker = "default";
    if (settings_.dockers.empty())
      settings_.dockers.push_back({.name = made->docker, .address = {}});
  } else {
    find_only(table, "docker", "docker", made->docker);
  }
  settings_.registrations.push_back(std::move(*made));
}

}  // namespace

std::string Mistake::text() const {
  auto place = line == 0 ? file : fmt::format("{}:{}", file, line);
  return printable(field.empty() ? fmt::format("{}: {}", place, what)
                                 : fmt::format("{}: {}: {}", place, field, what));
}

Loaded load_settings(const std::filesystem::path& file) { return Loader().load(file.string()); }

}  // namespace ambbpf
