// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/connect.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <cerrno>

#include "userspace/endpoints/endpoint.h"
#include "userspace/proxy/socket_options.h"

namespace ambbpf {

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

// Asked again it says how the connect before it stands: connected, or EALREADY, or why not.
int connect_error(const Connecting& connecting) {
  const auto& address = connecting.address;
  const int socket = connecting.socket.get();
  if (::connect(socket, address.data(), static_cast<socklen_t>(address.size())) != 0) return errno;
  return met_itself(socket, address) ? ECONNREFUSED : 0;
}

}  // namespace

Connecting begin_connect(const tcp::endpoint& address, FirstBytes first_bytes,
                         int descriptors_below) {
  const int family = address.protocol().family();
  Connecting connecting{
      .address = address,
      .socket = UniqueFd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
  };
  if (!connecting.socket) {
    connecting.error = errno;
    return connecting;
  }
  if (connecting.socket.get() >= descriptors_below) {
    connecting.error = EMFILE;
    return connecting;
  }
  if (const auto set = set_connection_options(connecting.socket.get()); !set) {
    connecting.error = set.error().code.value();
    return connecting;
  }
  if (first_bytes == FirstBytes::kAreHere) {
    // The handshake's last ACK waits for them: a packet less (tcp(7), TCP_QUICKACK).
    const int off = 0;
    ::setsockopt(connecting.socket.get(), IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
  }
  connecting.error = connect_error(connecting);
  if (connecting.error == EINPROGRESS) connecting.error = connect_error(connecting);
  return connecting;
}

awaitable<Result<UniqueFd>> finish_connect(Connecting connecting,
                                           std::chrono::milliseconds timeout) {
  const auto what = [&] { return "connect to " + to_string(connecting.address); };
  if (connecting.error == EALREADY) {
    const auto executor = co_await asio::this_coro::executor;
    boost::system::error_code refused;
    tcp::socket socket(executor);
    socket.assign(connecting.address.protocol(), connecting.socket.get(), refused);
    if (refused) co_return fail(what(), refused);
    (void)connecting.socket.release();
    asio::steady_timer deadline(executor, timeout);
    const auto first = co_await (socket.async_wait(tcp::socket::wait_write, as_tuple) ||
                                 deadline.async_wait(as_tuple));
    if (first.index() == 1) co_return fail_errno(what(), ETIMEDOUT);
    connecting.socket = UniqueFd(socket.release(refused));
    if (refused) co_return fail(what(), refused);
    connecting.error = connect_error(connecting);
  }
  if (connecting.error != 0) co_return fail_errno(what(), connecting.error);
  co_return std::move(connecting.socket);
}

}  // namespace ambbpf
