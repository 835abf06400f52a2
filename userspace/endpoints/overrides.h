// SPDX-License-Identifier: Apache-2.0
// What operators say of endpoints while the process runs (`ambbpf drain`, `ambbpf set weight`).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "userspace/support/asio.h"

namespace ambbpf {

// Counts in place of what the sources say.
struct Override {
  bool is_drained = false;                // no new connections, whatever becomes of the others
  std::optional<std::uint32_t> weight{};  // 0 to kMostWeight
  std::string by{};                       // who has said so last: "root"
  std::chrono::system_clock::time_point at{};

  std::chrono::milliseconds age() const;  // 0 if the clock has been set back since

  bool operator==(const Override&) const = default;
};

// Of one service. An endpoint keeps its override when it goes and comes back.
struct Overrides {
  std::optional<Override> all{};  // of every endpoint, also of those to come
  std::map<tcp::endpoint, Override> each{};

  bool empty() const { return !all && each.empty(); }
  // What counts for an endpoint: drained if either says so. None: what its source says.
  std::optional<Override> of(const tcp::endpoint& address) const;

  bool operator==(const Overrides&) const = default;
};

}  // namespace ambbpf
