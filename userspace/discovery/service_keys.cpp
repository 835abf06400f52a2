// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/service_keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/support/log.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

// True if `key` is `directory` or stands below it.
bool covers(std::string_view directory, std::string_view key) {
  if (directory.ends_with('/')) directory.remove_suffix(1);
  return key.starts_with(directory) &&
         (key.size() == directory.size() || key[directory.size()] == '/');
}

}  // namespace

// The key's path below the directory; empty: it is not below it, or hidden.
std::string_view ServiceKeys::name_of(std::string_view key) const {
  if (!covers(directory_, key) || key.size() <= directory_.size() + 1) return {};
  const auto name = key.substr(directory_.size() + 1);
  return name.front() == '_' ? std::string_view() : name;
}

bool ServiceKeys::is_own(std::string_view key) const {
  const auto name = name_of(key);
  return !name.empty() && name.find('/') == std::string_view::npos;
}

bool ServiceKeys::is_deeper(std::string_view key) const {
  return name_of(key).find('/') != std::string_view::npos;
}

void ServiceKeys::replace(const std::vector<EtcdKey>& keys) {
  std::set<std::string_view> listed;
  deeper_.clear();
  for (const auto& [key, value] : keys) {
    if (is_deeper(key)) deeper_.insert(key);
    if (!is_own(key)) continue;
    listed.insert(key);
    set(key, value);
  }
  if (std::erase_if(entries_, [&](const auto& entry) { return !listed.contains(entry.first); }) > 0)
    changed_ = true;
}

bool ServiceKeys::apply(const EtcdChange& change) {
  if (!change.value) return remove(change);
  if (is_deeper(change.key)) deeper_.insert(change.key);
  if (!is_own(change.key)) return false;
  set(change.key, *change.value);
  return true;
}

// A registrar's heartbeat sets the same value over and over: only a new value is looked at.
void ServiceKeys::set(const std::string& key, const std::string& value) {
  const auto known = entries_.find(key);
  if (known != entries_.end() && known->second.value == value) return;
  auto endpoint = decode_endpoint_value(value);
  if (!endpoint) {
    ++rejected_total_;
    newly_rejected_.push_back({printable(key), endpoint.error().message()});
    if (const auto unsaid = rejected_log_.pass(Clock::now()))
      log::warn("etcd key {}: value rejected: {}{}", printable(key), endpoint.error().message(),
                more_before_it(*unsaid));
  }
  entries_.insert_or_assign(key, Entry{value, std::move(endpoint)});
  changed_ = true;
}

// A key of its own costs no pass over all of them.
bool ServiceKeys::remove(const EtcdChange& change) {
  const std::string_view key = change.key;
  if (change.only_itself) {
    deeper_.erase(change.key);
    if (entries_.erase(change.key) > 0) changed_ = true;
    return is_own(key);
  }
  if (std::erase_if(entries_, [&](const auto& entry) { return covers(key, entry.first); }) > 0)
    changed_ = true;
  std::erase_if(deeper_, [&](const auto& deeper) { return covers(key, deeper); });
  return is_own(key) || covers(key, directory_);
}

std::vector<Endpoint> ServiceKeys::endpoints(const StateOfName& state_of) const {
  std::vector<Endpoint> endpoints;
  for (const auto& [key, entry] : entries_) {
    if (!entry.endpoint) continue;
    const auto& [address, attributes, name] = *entry.endpoint;
    if (name.empty()) {
      endpoints.push_back({address, printable(key), attributes});
      continue;
    }
    const auto* state = state_of(name);
    if (!state || !state->answer) continue;
    // Its end names it to those who drain it.
    const auto found_as = fmt::format("{}:{} of {}", name, address.port(), printable(key));
    for (const auto& resolved : state->answer->addresses)
      endpoints.push_back({{resolved, address.port()}, found_as, attributes});
  }
  return endpoints;
}

bool ServiceKeys::has_any() const {
  return std::ranges::any_of(entries_,
                             [](const auto& entry) { return entry.second.endpoint.has_value(); });
}

std::set<std::string_view> ServiceKeys::names() const {
  std::set<std::string_view> names;
  for (const auto& [key, entry] : entries_)
    if (entry.endpoint && !entry.endpoint->name.empty()) names.insert(entry.endpoint->name);
  return names;
}

std::vector<RejectedValue> ServiceKeys::rejected() const {
  std::vector<RejectedValue> rejected;
  for (const auto& [key, entry] : entries_)
    if (!entry.endpoint) rejected.push_back({printable(key), entry.endpoint.error().message()});
  return rejected;
}

std::vector<RejectedValue> ServiceKeys::unresolved(const StateOfName& state_of) const {
  std::vector<RejectedValue> unresolved;
  for (const auto& [key, entry] : entries_) {
    if (!entry.endpoint || entry.endpoint->name.empty()) continue;
    const auto* state = state_of(entry.endpoint->name);
    if (!state || !state->is_failing) continue;
    unresolved.push_back({printable(key), state->last_error});
    if (state->answer) unresolved.back().reason += "; its last addresses stay in force";
  }
  return unresolved;
}

}  // namespace ambbpf
