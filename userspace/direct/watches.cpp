// SPDX-License-Identifier: Apache-2.0
#include "userspace/direct/watches.h"

#include <array>
#include <boost/asio/redirect_error.hpp>

#include "userspace/endpoints/endpoint.h"
#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMost = 1000;  // descriptors
constexpr std::size_t kMostHeard = 64 * 1024;
constexpr auto kEndedAtOnce = 500ms;
constexpr auto kNotHeldFor = 1h;

}  // namespace

void Watches::hold(const std::shared_ptr<Backend>& backend, UniqueFd socket) {
  if (watched_.size() >= kMost && !watched_.contains(backend.get())) return;
  auto& watched = watched_[backend.get()];
  const auto now = Clock::now();
  if (watched.socket || watched.since > now) return;
  watched.backend = backend;
  watched.since = now;
  watched.socket = std::make_shared<asio::posix::stream_descriptor>(io_, socket.release());
  watched.listening =
      Task(io_.get_executor(), listen(*this, *backend, watched.socket), watched.socket);
}

// What it says is not for us, and must not be much.
awaitable<void> Watches::listen(Watches& self, const Backend& backend, Socket socket) {
  std::array<char, 1024> bytes;
  boost::system::error_code error;
  for (std::size_t heard = 0; !error && heard < kMostHeard;)
    heard += co_await socket->async_read_some(asio::buffer(bytes),
                                              asio::redirect_error(asio::use_awaitable, error));
  if (error != asio::error::operation_aborted) self.end(backend, socket);
}

// Another one may be held by now, or none.
void Watches::end(const Backend& backend, const Socket& socket) {
  const auto found = watched_.find(&backend);
  if (found == watched_.end() || found->second.socket != socket) return;
  auto& watched = found->second;
  const auto now = Clock::now();
  const bool at_once = now < watched.since + kEndedAtOnce;
  log::debug("direct: {} has ended the connection that watches it{}", to_string(backend.address()),
             at_once ? ", at once: it gets none for an hour" : "");
  watched.socket.reset();
  watched.since = at_once ? now + kNotHeldFor : now;
  ended_(backend);
}

}  // namespace ambbpf
