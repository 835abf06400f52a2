// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "userspace/endpoints/health.h"
#include "userspace/support/asio.h"

namespace ambbpf {

// Of a backend that has been ejected and not proven well since, or is about to be ejected.
struct Failing {
  Clock::time_point since;         // the first failure
  std::uint32_t failures = 0;      // connects
  std::uint32_t early_resets = 0;  // as BackendOutcome has them
  std::string why{};               // what the last one said
};

// "1 failed connect", "3 early resets", or both.
std::string failures_of(const Failing& failing);
// What active checks say of a backend.
struct Checked {
  bool is_down = false;
  Clock::time_point since;   // it is up, or down
  Clock::time_point at;      // of the last check
  bool passed = true;        // so did that one
  std::string last_error{};  // of the last one that failed; empty: none has
};

// One address in force. Shared by all threads; lives on in the connections that use it when its
// endpoint goes, and keeps its state when its endpoint is published again under the same address.
class Backend {
 public:
  explicit Backend(tcp::endpoint address) : address_(std::move(address)) {}

  const tcp::endpoint& address() const { return address_; }

  // As Health::note(), for which all of these are. `why`: what the failure said.
  Health::Change report(BackendOutcome outcome, Clock::time_point now, std::string_view why = {},
                        unsigned eject_resets = 0);
  Health::State health(Clock::time_point now) const;
  Clock::time_point health_until(Clock::time_point now) const;
  bool begin_trial(Clock::time_point now);
  bool is_suspect() const { return is_suspect_.load(std::memory_order_relaxed); }

  bool ejected(Clock::time_point now) const { return health(now) == Health::State::kEjected; }
  Clock::time_point ejected_until() const;
  bool accepts_connects() const;           // it does, where its health speaks against it
  std::optional<Failing> failing() const;  // nothing: nothing has failed of late

  // Of active checks; nothing: there are none, or none yet. Whoever knows the service reports
  // there, as of connects.
  void keep_check(std::optional<Checked> checked);
  std::optional<Checked> checked() const;
  bool is_down() const { return is_down_.load(std::memory_order_relaxed); }

  // What policies compare: connections, and those that are being made.
  std::uint64_t busy() const {
    return connections_now.load(std::memory_order_relaxed) +
           connecting.load(std::memory_order_relaxed);
  }

  // A place for one connection, from its connect to its end; false, and nothing taken, where `most`
  // are. BackendPlace calls them.
  bool take_place(std::uint64_t most);
  void leave_place() { --places_taken_; }
  std::uint64_t places_taken() const { return places_taken_; }

  std::atomic<std::uint64_t> connecting{0};
  std::atomic<std::uint64_t> connections_now{0};
  std::atomic<std::uint64_t> connections_total{0};
  std::atomic<std::uint64_t> failed_connects{0};
  std::atomic<std::uint64_t> early_resets{0};
  // Of proxied connections that have ended.
  std::atomic<std::uint64_t> bytes_to_backend{0};
  std::atomic<std::uint64_t> bytes_to_client{0};

 private:
  const tcp::endpoint address_;
  std::atomic<std::uint64_t> places_taken_{0};
  std::atomic<bool> is_down_{false};     // by checked_
  std::atomic<bool> is_suspect_{false};  // as health_ has it
  mutable std::mutex mutex_;             // of what good connections have no need to look at
  Health health_;
  std::optional<Failing> failing_;
  std::optional<Checked> checked_;
};

}  // namespace ambbpf
