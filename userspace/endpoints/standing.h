// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/endpoints/endpoint.h"

namespace ambbpf {

inline constexpr std::uint32_t kMostWeight = 1000;
inline constexpr std::uint32_t kMostPriority = 1000;
inline constexpr std::uint32_t kBackupPriority = kMostPriority + 1;  // "backup": true

// What an endpoint's attributes say to those who choose.
struct Standing {
  std::uint32_t weight = 1;    // 0 to kMostWeight, in comparison to the others'
  std::uint32_t priority = 0;  // 0 to kMostPriority, or kBackupPriority; the lowest comes first
  std::string zone{};          // where it is; empty: not said

  bool operator==(const Standing&) const = default;
};

// The attributes "weight", "priority", "backup" and "zone". What is wrong counts as if it was not
// said, and gets a line in `wrong` that says so.
Standing standing_of(const EndpointAttributes& attributes, std::vector<std::string>& wrong);

}  // namespace ambbpf
