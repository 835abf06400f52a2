// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/discovery/source.h"
#include "userspace/dns/followed_name.h"

namespace ambbpf {

// What is to be told of a source whose names are followed: its status, and when its names begin and
// cease to resolve, in the log and as events.
class NameStatus {
 public:
  // `name` is the one that resolves or does not.
  NameStatus(std::string kind, std::string from, std::string name);

  // After each question. `all_resolve`: of the source's names none is failing.
  void heard(const FollowedName::State& asked, bool all_resolve);
  void published(std::size_t endpoints) { status_.endpoints = endpoints; }
  void note(std::string note) { status_.note = std::move(note); }

  const SourceStatus& status() const { return status_; }

 private:
  void failed(const FollowedName::State& asked);

  const std::string name_;
  SourceStatus status_;
};

}  // namespace ambbpf
