// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "userspace/endpoints/endpoint_set.h"

namespace ambbpf {

// One that was in force, and is in no source's set any more.
struct GoneEndpoint {
  tcp::endpoint address;
  std::string found_as;
  Cause cause;
};

// How the set of a service became what it is: tells the process's events of each change, and knows
// who has left last.
class SetHistory {
 public:
  static constexpr std::size_t kMostGone = 32;

  // `set` is in force in place of `before`, by choice `version`. From one thread at a time.
  void changed(const std::string& service, const EndpointSet& before, const EndpointSet& set,
               std::uint64_t version, const Cause& cause);

  // The last first. From any thread.
  std::vector<GoneEndpoint> gone() const;

 private:
  void remember_gone(const EndpointSet& before, const std::set<tcp::endpoint>& addresses,
                     const Cause& cause);

  std::set<tcp::endpoint> addresses_;  // in force
  mutable std::mutex mutex_;
  std::deque<GoneEndpoint> gone_;
};

}  // namespace ambbpf
