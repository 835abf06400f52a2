// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "userspace/endpoints/service.h"
#include "userspace/proxy/connect.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

struct DialOptions {
  std::chrono::milliseconds connect_timeout{1000};  // for one attempt
  unsigned retries = 3;                             // attempts after the first one
  std::chrono::milliseconds hold{3000};             // for a service without any endpoint
  int descriptors_below = kNoDescriptorLimit;       // of both sockets of a connection

  bool operator==(const DialOptions&) const = default;
};

struct Dialled {
  UniqueFd socket;  // connected, non-blocking, options set
  std::shared_ptr<Backend> backend;
};

// A connect to the backend whose turn it is.
struct Attempt {
  std::shared_ptr<Backend> backend;
  Connecting connecting;
};

// Begins without waiting; empty when the service has no endpoint. What has connected already goes
// to answered(), everything else to dial().
std::optional<Attempt> begin_dial(Service& service, const DialOptions& options,
                                  FirstBytes first_bytes);
Dialled answered(Service& service, Attempt attempt);

// Finds a backend that takes the connection: goes on with `begun`, then round robin, the next one
// after a failure. Waits up to `hold` for a service that has no endpoint, and shortly before trying
// again one that has failed; a change of the service's endpoints ends either wait.
awaitable<Result<Dialled>> dial(Service& service, DialOptions options,
                                std::optional<Attempt> begun);

}  // namespace ambbpf
