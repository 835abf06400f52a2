// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <memory>

#include "userspace/endpoints/backend.h"
#include "userspace/support/task.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

// One connection to each backend that has nothing to say. A backend that stops ends it, which is
// heard before a consumer is refused.
class Watches {
 public:
  // `ended` is called when a backend has ended its connection, and holds it no more.
  using Ended = std::function<void(const Backend&)>;

  Watches(asio::io_context& io, Ended ended) : io_(io), ended_(std::move(ended)) {}

  // Takes a connected socket, unless the backend has one already, or ends such connections at once:
  // then an end says nothing of it.
  void hold(const std::shared_ptr<Backend>& backend, UniqueFd socket);
  void drop(const Backend& backend) { watched_.erase(&backend); }

 private:
  using Socket = std::shared_ptr<asio::posix::stream_descriptor>;
  struct Watched {
    std::shared_ptr<Backend> backend;
    Socket socket{};            // null: it is not held
    Clock::time_point since{};  // it is held; or before which it is not to be held again
    Task listening{};
  };

  static awaitable<void> listen(Watches& self, const Backend& backend, Socket socket);
  void end(const Backend& backend, const Socket& socket);

  asio::io_context& io_;
  const Ended ended_;
  std::map<const Backend*, Watched> watched_;
};

}  // namespace ambbpf
