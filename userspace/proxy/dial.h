// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "userspace/dataplane/end_reason.h"
#include "userspace/endpoints/service.h"
#include "userspace/proxy/connect.h"
#include "userspace/proxy/queue.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

struct DialOptions {
  std::chrono::milliseconds connect_timeout{1000};  // for one attempt
  unsigned retries = 3;                             // attempts after the first one
  std::chrono::milliseconds hold{3000};             // for a service without any endpoint
  int descriptors_below = kNoDescriptorLimit;       // of both sockets of a connection
  std::uint64_t most_per_endpoint = kAnyNumber;     // open connections, and those being made
  QueueSettings queue{};                            // where the limits leave no room

  bool operator==(const DialOptions&) const = default;
};

struct Dialled {
  BackendPlace place;
  UniqueFd socket;  // connected, non-blocking, options set
  std::shared_ptr<Backend> backend;
  unsigned attempts = 1;  // this one counted
};

// No backend takes the connection.
struct NotDialled {
  EndReason reason = EndReason::kNoEndpoint;
  unsigned attempts = 0;
  Error error;
};

// Counted at a backend as a connection that is being made, for as long as it lives.
class Making {
 public:
  explicit Making(std::shared_ptr<Backend> backend) : backend_(std::move(backend)) {
    backend_->connecting.fetch_add(1, std::memory_order_relaxed);
  }
  ~Making() {
    if (backend_) backend_->connecting.fetch_sub(1, std::memory_order_relaxed);
  }
  Making(Making&& other) noexcept = default;
  Making& operator=(Making&& other) noexcept {
    std::swap(backend_, other.backend_);
    return *this;
  }

  const std::shared_ptr<Backend>& backend() const { return backend_; }

 private:
  std::shared_ptr<Backend> backend_;  // null: moved from
};

// A connect to the backend whose turn it is.
struct Attempt {
  BackendPlace place;  // given back when the socket has been closed
  Making making;
  Connecting connecting;
};

// Begins without waiting; empty when the service has no endpoint, or none with room. What has
// connected already goes to answered(), everything else to dial().
std::optional<Attempt> begin_dial(Service& service, const DialOptions& options,
                                  const Client& client, FirstBytes first_bytes);
Dialled answered(Service& service, Attempt attempt, unsigned attempts);

// What a connect, or an answer, has told of a backend: for its service, and for the log where it is
// news. Refusals that are our own limits say nothing of it.
void note_answer(Service& service, Backend& backend,
                 BackendOutcome how = BackendOutcome::kConnected);
void note_failure(Service& service, Backend& backend, const Error& error);

// Finds a backend that takes the connection: goes on with `begun`, then as the service chooses,
// again after each failure. Waits up to `hold` for a service that has no endpoint, and shortly
// before trying again one that has failed; a backend that has not been tried yet ends either wait.
// Where none has room it waits in the queue, on `queued` if it has been there before;
// `client_socket` may be closed meanwhile.
awaitable<tl::expected<Dialled, NotDialled>> dial(Service& service, DialOptions options,
                                                  Client client, std::optional<Attempt> begun,
                                                  const UniqueFd& client_socket,
                                                  std::optional<Queued> queued);

}  // namespace ambbpf
