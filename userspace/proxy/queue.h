// SPDX-License-Identifier: Apache-2.0
// The queue of a service: connections for which its limits leave no room.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "userspace/endpoints/service.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

struct QueueSettings {
  std::uint32_t length = 0;  // connections that may wait; 0: they are reset at once
  std::chrono::milliseconds timeout{5000};

  bool operator==(const QueueSettings&) const = default;
};

// Counts a connection as queued for as long as it lives, whatever it waits for.
class Queued {
 public:
  // Nothing: as many wait as may.
  static std::optional<Queued> in(Service& service, const QueueSettings& settings);

  Queued(Queued&& other) noexcept = default;
  Queued& operator=(Queued&& other) noexcept = default;

  Clock::time_point until() const { return until_; }

 private:
  struct Leave {
    void operator()(Service* service) const { --service->queued_now; }
  };
  Queued(Service& service, Clock::time_point until) : counted_in_(&service), until_(until) {}

  std::unique_ptr<Service, Leave> counted_in_;
  Clock::time_point until_;
};

// Waits until it is to try; it is kLate after `queued.until()`, and kLeft when its client has gone,
// which is noticed within a second. `client` may be closed meanwhile. A client has gone when it has
// reset the connection, or ended it without having said anything: one that has said something and
// ended its direction may wait for the answer.
enum class InLine { kTry, kLate, kLeft };
awaitable<InLine> wait_in_line(WaitingLine::Place& place, const Queued& queued,
                               const UniqueFd& client);

}  // namespace ambbpf
