// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>

#include "userspace/admin/status_report.h"
#include "userspace/support/asio.h"

namespace ambbpf {

// What the process carried in the last quarter of an hour, for the plots of the status page: totals
// only, so that its size does not depend on what is configured.
class History {
 public:
  struct Sample {
    Clock::time_point at;
    std::uint64_t connections_now = 0;    // of the proxy
    std::uint64_t connections_total = 0;  // …
    std::uint64_t direct_now = 0;
    std::uint64_t direct_total = 0;
    std::uint64_t kernel_bytes = 0;  // both ways
    std::uint64_t user_bytes = 0;    // …
    std::uint64_t direct_bytes = 0;  // … of connections that have ended
  };
  static constexpr std::chrono::seconds kBetween{5};
  static constexpr std::size_t kMost = 181;  // both ends of 15 minutes

  // What `report` says of services and connections is enough. The oldest sample goes for it.
  void add(const StatusReport& report, Clock::time_point now);

  // {"every_ms": 5000, "age_ms": [...], "connections_now": [...], ...}: a list for each field of
  // a sample, the oldest first.
  std::string to_json(Clock::time_point now) const;

 private:
  std::deque<Sample> samples_;
};

}  // namespace ambbpf
