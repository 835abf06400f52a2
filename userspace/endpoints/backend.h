// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "userspace/support/asio.h"

namespace ambbpf {

// What was learnt of a backend.
enum class BackendOutcome { kConnected, kConnectFailed };

// Of a backend to which the last connects have failed.
struct Failing {
  Clock::time_point since;  // the first of them
  std::uint32_t failures = 0;
  std::string why;  // the last one's error
};

// One address in force. Shared by all threads; lives on in the connections that use it when its
// endpoint goes, and keeps its state when its endpoint is published again under the same address.
class Backend {
 public:
  explicit Backend(tcp::endpoint address) : address_(std::move(address)) {}

  const tcp::endpoint& address() const { return address_; }

  // A failed connect ejects the backend: for 1 s at first, doubled by every further failure in a
  // row, at most 30 s; a good one ends that. Returns whether this is news: the first failure after
  // a success, or the reverse. Whoever knows the service reports there, which chooses anew. `why`:
  // the error of a failed connect.
  bool report(BackendOutcome outcome, Clock::time_point now, std::string_view why = {});

  bool ejected(Clock::time_point now) const { return now < ejected_until(); }
  Clock::time_point ejected_until() const;
  bool fails() const { return failures_in_a_row_.load(std::memory_order_relaxed) != 0; }
  std::optional<Failing> failing() const;  // nothing: the last connect was a good one, or none was

  // What policies compare: connections, and those that are being made.
  std::uint64_t busy() const {
    return connections_now.load(std::memory_order_relaxed) +
           connecting.load(std::memory_order_relaxed);
  }

  std::atomic<std::uint64_t> connecting{0};
  std::atomic<std::uint64_t> connections_now{0};
  std::atomic<std::uint64_t> connections_total{0};
  std::atomic<std::uint64_t> failed_connects{0};
  // Of proxied connections that have ended.
  std::atomic<std::uint64_t> bytes_to_backend{0};
  std::atomic<std::uint64_t> bytes_to_client{0};

 private:
  const tcp::endpoint address_;
  std::atomic<std::uint32_t> failures_in_a_row_{0};
  std::atomic<Clock::rep> ejected_until_{0};
  mutable std::mutex mutex_;  // of what good connects have no need to look at
  std::optional<Failing> failing_;
};

}  // namespace ambbpf
