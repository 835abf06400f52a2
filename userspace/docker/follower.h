// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "userspace/docker/address.h"
#include "userspace/docker/container.h"
#include "userspace/support/backoff.h"

namespace ambbpf {

// What `ambbpf status` shows of a Docker Engine. Times are of the steady clock.
struct DockerStatus {
  enum class State {
    kStarting,   // no answer yet
    kFollowing,  // the containers published are what the engine has now
    kFailing,    // the last containers stay; last_error says why
  };
  std::string from;     // "unix:///var/run/docker.sock"
  std::string version;  // of the API in use, "1.41"; empty before the first answer
  State state = State::kStarting;
  std::size_t containers = 0;
  std::optional<Clock::time_point> heard_at;   // the last good answer or event
  std::optional<Clock::time_point> failed_at;  // with last_error
  std::string last_error;                      // empty: none since the start
  std::uint64_t lists = 0;                     // full reconciliations
  std::uint64_t events = 0;                    // that concerned a container
  std::uint64_t failures = 0;
};

// Knows the containers of one Docker Engine, and hands over all of them after every change: events
// tell at once, and a full listing now and then, and after every break, makes good what they
// missed.
class DockerFollower {
 public:
  using Publish = std::function<void(const Containers&)>;

  // Never ends; errors are retried with back-off and shown in status(). *this outlives it.
  awaitable<void> run(Publish publish);
  const DockerStatus& status() const;
};

}  // namespace ambbpf
