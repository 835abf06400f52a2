// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>

#include "userspace/endpoints/service.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

struct DialOptions {
  std::chrono::milliseconds connect_timeout{1000};  // for one attempt
  unsigned retries = 3;                             // attempts after the first one
  std::chrono::milliseconds hold{3000};             // for a service without any endpoint
};

struct Dialled {
  UniqueFd socket;  // connected, non-blocking, options set
  std::shared_ptr<Backend> backend;
};

// Finds a backend that takes the connection: round robin, the next one after a failure. Waits up to
// `hold` for a service that has no endpoint, and shortly before trying again one that has failed; a
// change of the service's endpoints ends either wait.
awaitable<Result<Dialled>> dial(Service& service, DialOptions options);

// One attempt. The error says which address and why.
awaitable<Result<UniqueFd>> connect_to(tcp::endpoint address, std::chrono::milliseconds timeout);

}  // namespace ambbpf
