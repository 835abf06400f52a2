// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "userspace/dataplane/end_reason.h"
#include "userspace/support/asio.h"

namespace ambbpf {

// Where connections come in: a listener and the service behind it. Shared by all that came so.
struct AccessOrigin {
  std::string service;
  tcp::endpoint listener;
};

// What the access log tells of one connection. Begun when it is taken in, complete when it has
// ended.
struct AccessRecord {
  std::shared_ptr<const AccessOrigin> origin;
  tcp::endpoint client;
  tcp::endpoint endpoint;  // port 0: it had none
  Clock::time_point begun = Clock::now();
  std::chrono::system_clock::time_point ended{};
  Clock::duration lasted{};
  // From when it was taken in until its endpoint had answered, waits and failed tries as well.
  std::optional<Clock::duration> connected_after{};
  std::uint64_t bytes_to_backend = 0;
  std::uint64_t bytes_to_client = 0;
  std::uint64_t kernel_bytes = 0;  // of both, those that the kernel program moved
  std::uint32_t tries = 0;         // connects to endpoints
  EndReason reason = EndReason::kFinished;
};

}  // namespace ambbpf
