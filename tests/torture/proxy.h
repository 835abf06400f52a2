// SPDX-License-Identifier: Apache-2.0
// The proxy between the two peers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/torture/run.h"
#include "userspace/admin/status_report.h"
#include "userspace/support/asio.h"
#include "userspace/support/result.h"

namespace ambbpf::torture {

class Proxy {
 public:
  virtual ~Proxy() = default;

  virtual const tcp::endpoint& address() const = 0;
  virtual StatusReport::Connections counts() = 0;
  // To be called when it is idle. Fails if it does not end in order.
  virtual Result<void> end() = 0;
};

// Both fail where the kernel refuses the engine.

// In this process. Connections enter the map in the midst of things, or `at_once`.
Result<std::unique_ptr<Proxy>> start_in_process(const Settings& settings,
                                                const std::vector<tcp::endpoint>& backends);

// The program as it is shipped, which decides by itself what enters the map.
Result<std::unique_ptr<Proxy>> start_program(const Settings& settings,
                                             const tcp::endpoint& backend);

}  // namespace ambbpf::torture
