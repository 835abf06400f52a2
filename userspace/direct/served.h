// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "userspace/direct/direct.h"

namespace ambbpf {

// A service whose consumers are sent on.
struct Direct::Served {
  std::shared_ptr<Service> service;
  DirectTable::ServiceIndex index = 0;
  std::vector<tcp::endpoint> listen;
  std::chrono::milliseconds connect_timeout{};
  bool watch = false;
  bool asking = false;
  std::set<const Backend*> asked;              // under way
  bool served = true;                          // false: stop_serving() was called
  std::vector<std::shared_ptr<Backend>> kept;  // as they were published
  std::vector<direct_event> failures;          // of consumers, until the backend has been asked
  std::string last_error;
  Task publishing;
};

}  // namespace ambbpf
