// SPDX-License-Identifier: Apache-2.0
// What an open connection does at the moment, for those who ask.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "userspace/dataplane/relay.h"
#include "userspace/support/asio.h"

namespace ambbpf {

// What is at hand without a system call.
struct OpenConnection {
  ConnectionId id = 0;
  const void* owner = nullptr;  // ConnectionSettings::owner
  Clock::time_point since{};    // both its sides were connected
  std::uint64_t bytes_to_backend = 0;
  std::uint64_t bytes_to_client = 0;
  unsigned directions_in_kernel = 0;
};

// Who moves the bytes of a direction.
enum class Mover { kKernel, kSplice, kCopy, kNobody };

constexpr std::string_view name_of(Mover mover) {
  constexpr std::array<std::string_view, 4> kNames{"kernel", "splice", "copy", "-"};
  return kNames[static_cast<std::size_t>(mover)];
}

struct DirectionFacts {
  Mover by = Mover::kNobody;  // kSplice, kCopy: how the next read is made
  std::string_view why;       // a few words; kKernel: empty
  Clock::time_point since{};  // kKernel: it was handed over
};

struct LegFacts {
  std::optional<tcp::endpoint> peer;  // empty: it is gone
  std::chrono::microseconds round_trip{};
  std::uint64_t retransmits = 0;  // segments
};

struct ConnectionFacts {
  OpenConnection connection;
  DirectionFacts to_backend;
  DirectionFacts to_client;
  LegFacts client;
  LegFacts backend;
};

}  // namespace ambbpf
