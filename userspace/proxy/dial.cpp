// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/dial.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <vector>

#include "userspace/proxy/socket_options.h"
#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;  // a || b: the first one ends the other

namespace {

// A connect to a local port where nobody listens can meet itself, when the kernel happens to give
// that very port to the connecting socket (RFC 9293, 3.5: simultaneous open).
bool met_itself(int socket, const tcp::endpoint& address) {
  constexpr unsigned short kFirstEphemeralPort = 32768;  // net.ipv4.ip_local_port_range
  if (address.port() < kFirstEphemeralPort) return false;
  tcp::endpoint own;
  auto size = static_cast<socklen_t>(own.capacity());
  if (::getsockname(socket, own.data(), &size) != 0) return false;
  own.resize(size);
  return own == address;
}

// Refusals that say nothing of the backend: our own limits.
bool is_our_own(const std::error_code& code) {
  return code == std::errc::too_many_files_open ||
         code == std::errc::too_many_files_open_in_system || code == std::errc::no_buffer_space ||
         code == std::errc::not_enough_memory || code == std::errc::address_not_available;
}

void note_failure(Service& service, Backend& backend, const Error& error) {
  if (is_our_own(error.code)) {
    log::warn("service {}: {}", service.name(), error.message());
    return;
  }
  if (backend.connect_failed(Clock::now()))
    log::warn("service {}: {}; the endpoint rests", service.name(), error.message());
  service.doubt();
}

}  // namespace

awaitable<Result<UniqueFd>> connect_to(tcp::endpoint address, std::chrono::milliseconds timeout) {
  const auto what = [&] { return "connect to " + to_string(address); };
  UniqueFd fd(::socket(address.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) co_return fail_errno(what());
  if (const auto set = set_connection_options(fd.get()); !set)
    co_return fail(what() + ": " + set.error().what, set.error().code);

  const auto connect = [&] {
    const auto size = static_cast<socklen_t>(address.size());
    return ::connect(fd.get(), address.data(), size) == 0 ? 0 : errno;
  };
  int error = connect();
  // A backend on this machine has answered by now, and asking again says so; EALREADY: not yet.
  // Waiting for it would take several system calls.
  if (error == EINPROGRESS) error = connect();
  if (error == EALREADY) {
    const auto executor = co_await asio::this_coro::executor;
    tcp::socket socket(executor, address.protocol(), fd.release());
    asio::steady_timer deadline(executor, timeout);
    const auto first = co_await (socket.async_wait(tcp::socket::wait_write, as_tuple) ||
                                 deadline.async_wait(as_tuple));
    if (first.index() == 1) co_return fail_errno(what(), ETIMEDOUT);
    boost::system::error_code refused;
    fd = UniqueFd(socket.release(refused));
    if (refused) co_return fail(what(), refused);
    error = connect();
  }
  if (error == 0 && met_itself(fd.get(), address)) error = ECONNREFUSED;
  if (error != 0) co_return fail_errno(what(), error);
  co_return fd;
}

awaitable<Result<Dialled>> dial(Service& service, DialOptions options) {
  constexpr auto kFirstPause = 100ms;
  const auto held_until = Clock::now() + options.hold;
  auto pause = Clock::duration(kFirstPause);
  std::vector<tcp::endpoint> failed;
  Error last_error;
  bool held = false;

  for (unsigned attempt = 0; attempt <= options.retries;) {
    const auto version = service.version();
    const auto backend = service.pick();
    if (!backend) {
      if (Clock::now() >= held_until) {
        service.failed.fetch_add(1, std::memory_order_relaxed);
        co_return fail(fmt::format("service {}: no endpoint within {} ms", service.name(),
                                   options.hold.count()));
      }
      if (!std::exchange(held, true)) service.held.fetch_add(1, std::memory_order_relaxed);
      co_await service.wait_for_change(version, held_until);
      continue;
    }
    if (std::find(failed.begin(), failed.end(), backend->address()) != failed.end()) {
      // All have failed, and this one for the second time: give it a moment.
      co_await service.wait_for_change(version, Clock::now() + pause);
      pause *= 2;
      failed.clear();
      continue;
    }

    if (attempt > 0) service.connect_retries.fetch_add(1, std::memory_order_relaxed);
    auto socket = co_await connect_to(backend->address(), options.connect_timeout);
    if (socket) {
      if (backend->connect_succeeded())
        log::info("service {}: endpoint {} answers again", service.name(),
                  to_string(backend->address()));
      co_return Dialled{std::move(*socket), backend};
    }
    ++attempt;
    failed.push_back(backend->address());
    last_error = socket.error();
    note_failure(service, *backend, last_error);
  }
  service.failed.fetch_add(1, std::memory_order_relaxed);
  co_return fail(fmt::format("service {}: gave up after {} attempts: {}", service.name(),
                             options.retries + 1, last_error.what),
                 last_error.code);
}

}  // namespace ambbpf
