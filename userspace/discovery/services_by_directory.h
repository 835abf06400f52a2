// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/discovery/followed_service.h"

namespace ambbpf {

// Finds the services that a key is of, among any number of them.
class ServicesByDirectory {
 public:
  void add(FollowedService& service) { services_[service.directory()].insert(&service); }

  void remove(FollowedService& service) {
    const auto found = services_.find(service.directory());
    if (found == services_.end()) return;
    found->second.erase(&service);
    if (found->second.empty()) services_.erase(found);
  }

  bool contains(const FollowedService& service) const {
    const auto found = services_.find(service.directory());
    return found != services_.end() &&
           std::ranges::find(found->second, &service) != found->second.end();
  }

  std::vector<FollowedService*> all() const {
    std::vector<FollowedService*> all;
    for (const auto& [directory, services] : services_)
      all.insert(all.end(), services.begin(), services.end());
    return all;
  }

  // Those below whose directories `key` stands.
  std::vector<FollowedService*> of(std::string_view key) const {
    std::vector<FollowedService*> of;
    for (auto slash = key.find('/', 1); slash != key.npos; slash = key.find('/', slash + 1))
      if (const auto found = services_.find(key.substr(0, slash)); found != services_.end())
        of.insert(of.end(), found->second.begin(), found->second.end());
    return of;
  }

  // Those that stand below `key`, or there.
  std::vector<FollowedService*> below(std::string_view key) const {
    while (key.ends_with('/')) key.remove_suffix(1);
    std::vector<FollowedService*> below;
    for (auto next = services_.lower_bound(key);
         next != services_.end() && next->first.starts_with(key); ++next)
      if (next->first.size() == key.size() || next->first[key.size()] == '/')
        below.insert(below.end(), next->second.begin(), next->second.end());
    return below;
  }

 private:
  std::map<std::string, std::set<FollowedService*>, std::less<>> services_;
};

}  // namespace ambbpf
