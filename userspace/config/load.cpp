// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "userspace/config/complete.h"
#include "userspace/config/gather.h"
#include "userspace/config/suggestion.h"
#include "userspace/endpoints/service_name.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

// Makes the settings of all tables that were found.
class Loader {
 public:
  Loaded load(const std::string& file) {
    if (auto gathered = gather_tables(file, mistakes_)) {
      files_ = std::move(*gathered);
      make_settings();
    }
    if (mistakes_.empty()) return std::move(settings_);
    std::ranges::stable_sort(mistakes_, {},
                             [](const Mistake& m) { return std::tie(m.file, m.line); });
    return tl::unexpected(std::move(mistakes_));
  }

 private:
  void make_settings();
  void make_process();
  template <class Origin>  // EtcdSettings or DockerSettings
  void make_origin(const Table& table, Scope scope, Origin Draft::*part,
                   Completed<Origin> (*complete)(Way way, const Draft& draft),
                   std::vector<Origin>& made);
  void make_service(const Table& table);
  void make_registration(const Table& table);
  void find_sources(const Table& table, ServiceSettings& service);
  void check_listen(const Table& table, const ServiceSettings& service);
  void find_only(const Table& table, const std::string& key, const std::string& kind,
                 std::string& name);
  void add_flaw(const Table& table, const Flaw& flaw);

  Gathered files_;
  Settings settings_;
  std::vector<Mistake> mistakes_;
  std::map<std::string, std::string> listeners_;  // by address: "FILE:LINE (service.web)"
  Draft default_draft_;
};

void Loader::make_process() {
  auto others = table_kinds;
  others.insert(others.end(), {"include", "defaults"});
  Draft draft;
  read_table(files_.top, Scope::kProcess, others, draft, mistakes_);
  settings_.process = draft.process;
  settings_.process.written = std::move(draft.written);
}

void Loader::make_settings() {
  make_process();
  if (files_.defaults) read_table(*files_.defaults, Scope::kService, {}, default_draft_, mistakes_);
  auto& tables = files_.tables;
  for (const auto& table : tables["etcd"])
    make_origin(table, Scope::kEtcd, &Draft::etcd, complete_etcd, settings_.etcds);
  for (const auto& table : tables["docker"])
    make_origin(table, Scope::kDocker, &Draft::docker, complete_docker, settings_.dockers);
  for (const auto& table : tables["service"]) make_service(table);
  for (const auto& table : tables["register"]) make_registration(table);
  const bool nothing = tables["service"].empty() && tables["register"].empty();
  if (nothing && mistakes_.empty())
    mistakes_.push_back(
        {files_.top.file, 0, "",
         "neither a service nor a registration: add a table [service.NAME] or [register.NAME]"});
}

void Loader::add_flaw(const Table& table, const Flaw& flaw) {
  mistakes_.push_back(flaw.setting.empty() ? table.mistake(flaw.what)
                                           : table.mistake(flaw.setting, flaw.what));
}

template <class Origin>
void Loader::make_origin(const Table& table, Scope scope, Origin Draft::*part,
                         Completed<Origin> (*complete)(Way way, const Draft& draft),
                         std::vector<Origin>& made) {
  Draft draft;
  read_table(table, scope, {}, draft, mistakes_);
  (draft.*part).name = table.name;
  (draft.*part).written = draft.written;
  auto completed = complete(Way::kFile, draft);
  if (completed)
    made.push_back(std::move(*completed));
  else
    add_flaw(table, completed.error());
}

bool has_own_source(const TomlNode& table) {
  return std::ranges::any_of(table.fields, [](const auto& field) {
    return field.first == "source" || field.first == "forward" || field.first == "srv" ||
           field.first == "endpoints";
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
  if (const auto checked = check_service(Way::kFile, service); !checked)
    add_flaw(table, checked.error());
  find_sources(table, service);
  check_listen(table, service);
  settings_.services.push_back(std::move(service));
}

void Loader::find_sources(const Table& table, ServiceSettings& service) {
  auto& sources = service.sources;
  if (sources == SourceSettings()) {
    if (has_own_source(table.node)) return;  // which is wrong, as has been said
    if (files_.tables["etcd"].size() != 1) {
      mistakes_.push_back(
          table.mistake(files_.tables["etcd"].empty()
                            ? "needs source, forward, srv or endpoints, or one [etcd.NAME] for all"
                            : "needs source, as in source = \"etcd.NAME\": there are several"));
      return;
    }
    sources.etcd = {files_.tables["etcd"][0].name};
  }
  for (const auto& [kind, names] :
       {std::pair("etcd", &sources.etcd), std::pair("docker", &sources.docker)})
    for (auto& name : *names) find_only(table, "source", kind, name);
}

// Sees that [KIND.NAME] is there; where no name is given, the only one is meant.
void Loader::find_only(const Table& table, const std::string& key, const std::string& kind,
                       std::string& name) {
  std::vector<std::string> known;
  for (const auto& candidate : files_.tables[kind]) known.push_back(candidate.name);
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
    const auto [first, fresh] = listeners_.emplace(to_string(address), place);
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
  if (made->docker.empty() && files_.tables["docker"].empty()) {
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
