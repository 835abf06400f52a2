// SPDX-License-Identifier: Apache-2.0
// One attempt to connect to one address.
#pragma once

#include <chrono>

#include "userspace/support/asio.h"
#include "userspace/support/result.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

struct Connecting {
  tcp::endpoint address;
  UniqueFd socket;  // non-blocking, options set
  int error = 0;    // errno(3); 0: connected, EALREADY: no answer yet
  Clock::time_point begun = Clock::now();
};

// Whether there is something to be sent as soon as the connection stands.
enum class FirstBytes { kAreHere, kUnknown };

// Never waits; a backend on this machine has mostly answered when this returns. A socket whose
// number is not below `descriptors_below` is given up (EMFILE).
Connecting begin_connect(const tcp::endpoint& address, FirstBytes first_bytes,
                         int descriptors_below);

// Waits for the answer, no longer than `timeout`. The error says which address and why.
awaitable<Result<UniqueFd>> finish_connect(Connecting connecting,
                                           std::chrono::milliseconds timeout);

}  // namespace ambbpf
