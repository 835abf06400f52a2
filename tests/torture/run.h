// SPDX-License-Identifier: Apache-2.0
// One run: proxy, clients and backends, and what it comes to.
#pragma once

#include <optional>
#include <string>

#include "tests/torture/script.h"
#include "userspace/dataplane/engine.h"
#include "userspace/support/asio.h"

namespace ambbpf::torture {

struct Settings {
  Engine engine = Engine::kSockmap;
  bool at_once = false;
  bool as_shipped =
      false;  // the program in a process of its own, which decides what enters the map
  // Fails where the kernel moved less of the bytes, or few connections entered the map, or few
  // moved to and fro. 0: no matter.
  unsigned by_kernel_percent = 0;
  std::size_t threads = 1;
  std::size_t connections = 1000;
  std::size_t concurrent = 200;
  std::uint64_t seed = 0;
  std::optional<std::uint64_t> only;
  Allowed allowed;
  // Both: a proxy that somebody else runs, and where it finds the backends.
  std::optional<tcp::endpoint> through;
  std::optional<tcp::endpoint> serve;
  std::string replay;  // the command line that a connection's seed is appended to
};

enum class Outcome { kPassed, kFailed, kRefusedByKernel };

// Prints failures and a summary.
Outcome run(const Settings& settings);

}  // namespace ambbpf::torture
