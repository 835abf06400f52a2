// SPDX-License-Identifier: Apache-2.0
#include "userspace/controller/changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace ambbpf {
namespace {

// "hold from 3s to 5s", "retries set to 1", "policy no longer set".
std::string change_of(const std::string& key, const AsWritten& before, const AsWritten& after) {
  const auto old = before.values.find(key);
  const auto now = after.values.find(key);
  if (now == after.values.end()) return key + " no longer set";
  if (old == before.values.end()) return fmt::format("{} set to {}", key, now->second);
  return fmt::format("{} from {} to {}", key, old->second, now->second);
}

std::string changes_of(const AsWritten& before, const AsWritten& after) {
  std::set<std::string> differing;
  for (const auto& [from, to] : {std::pair(&before, &after), std::pair(&after, &before)})
    for (const auto& [key, value] : from->values)
      if (const auto other = to->values.find(key);
          other == to->values.end() || other->second != value)
        differing.insert(key);
  std::vector<std::string> all;
  for (const auto& key : differing) all.push_back(change_of(key, before, after));
  // The file that a setting names may hold something else than before.
  return all.empty() ? "what its settings refer to" : fmt::format("{}", fmt::join(all, ", "));
}

std::string where(const ServiceSettings& service) {
  std::vector<std::string> addresses;
  for (const auto& address : service.listen) addresses.push_back(to_string(address));
  return fmt::format(", on {}", fmt::join(addresses, ", "));
}
std::string where(const auto&) { return {}; }

template <class Part>
void add_changes(std::string_view kind, const std::vector<Part>& before,
                 const std::vector<Part>& after, std::vector<std::string>& lines) {
  std::map<std::string_view, const Part*> known;
  for (const auto& part : before) known.emplace(part.name, &part);
  for (const auto& part : after) {
    const auto old = known.find(part.name);
    if (old == known.end()) {
      lines.push_back(fmt::format("{} {} is new{}", kind, part.name, where(part)));
      continue;
    }
    if (*old->second != part)
      lines.push_back(fmt::format("{} {}: {}", kind, part.name,
                                  changes_of(old->second->written, part.written)));
    known.erase(old);
  }
  for (const auto& [name, part] : known)
    lines.push_back(fmt::format("{} {} is removed", kind, name));
}

}  // namespace

std::vector<std::string> changes_between(const Settings& before, const Settings& after) {
  std::vector<std::string> lines;
  if (before.process != after.process)
    lines.push_back("process: " + changes_of(before.process.written, after.process.written));
  add_changes("etcd", before.etcds, after.etcds, lines);
  add_changes("docker", before.dockers, after.dockers, lines);
  add_changes("service", before.services, after.services, lines);
  add_changes("registration", before.registrations, after.registrations, lines);
  return lines;
}

Result<void> check_change(const ProcessSettings& before, const ProcessSettings& after) {
  std::string_view changed;
  const auto compare = [&](std::string_view name, auto field) {
    if (before.*field != after.*field) changed = name;
  };
  compare("engine", &ProcessSettings::engine);
  compare("threads", &ProcessSettings::threads);
  compare("admin", &ProcessSettings::admin);
  compare("admin_listen", &ProcessSettings::admin_listen);
  compare("admin_names", &ProcessSettings::admin_names);
  compare("direct_cgroup", &ProcessSettings::direct_cgroup);
  compare("direct_except_cgroups", &ProcessSettings::direct_except_cgroups);
  compare("direct_except_mark", &ProcessSettings::direct_except_mark);
  compare("fail_static", &ProcessSettings::fail_static);
  if (changed.empty()) return {};
  return fail(fmt::format("{} cannot change while the process runs; restart it", changed));
}

}  // namespace ambbpf
