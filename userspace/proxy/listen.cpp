// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/listen.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "userspace/endpoints/endpoint.h"
#include "userspace/proxy/socket_options.h"

namespace ambbpf {
namespace {

enum class Share { kNo, kAmongThreads };

Result<UniqueFd> bound_socket(const tcp::endpoint& address, Share share) {
  const std::string what = "listen on " + to_string(address);
  UniqueFd fd(::socket(address.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(what);
  const int on = 1;
  const int off = 0;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.address().is_v6())
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY,
                 address.address().is_unspecified() ? &off : &on, sizeof on);
  if (share == Share::kAmongThreads &&
      ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
    return fail_errno(what + ": SO_REUSEPORT");
  if (::bind(fd.get(), address.data(), static_cast<socklen_t>(address.size())) != 0)
    return fail_errno(what);
  return fd;
}

Result<tcp::endpoint> address_of(int socket) {
  tcp::endpoint address;
  auto size = static_cast<socklen_t>(address.capacity());
  if (::getsockname(socket, address.data(), &size) != 0) return fail_errno("getsockname");
  address.resize(size);
  return address;
}

}  // namespace

Result<Listeners> listen_on(const tcp::endpoint& asked, std::size_t threads, Beside beside) {
  Listeners listeners{.address = asked, .sockets = {}};
  if (beside == Beside::kNobody) {
    // Shared sockets of one user may be bound beside each other by several processes: this one may
    // not, and so finds out whether somebody is there.
    auto first = bound_socket(asked, Share::kNo);
    if (!first) return tl::unexpected(first.error());
    auto address = address_of(first->get());
    if (!address) return tl::unexpected(address.error());
    listeners.address = *address;
    if (threads == 1) {
      const int on = 1;  // for those that may be bound beside it later
      ::setsockopt(first->get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
      listeners.sockets.push_back(std::move(*first));
    }
  }
  while (listeners.sockets.size() < threads) {
    auto socket = bound_socket(listeners.address, Share::kAmongThreads);
    if (!socket) return tl::unexpected(socket.error());
    listeners.sockets.push_back(std::move(*socket));
  }
  for (const auto& socket : listeners.sockets) {
    if (const auto set = set_connection_options(socket.get()); !set)
      return tl::unexpected(set.error());
    if (::listen(socket.get(), SOMAXCONN) != 0)
      return fail_errno("listen on " + to_string(listeners.address));
  }
  return listeners;
}

asio::ip::address any_address() {
  const UniqueFd probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (probe) return asio::ip::address_v6::any();
  return asio::ip::address_v4::any();
}

}  // namespace ambbpf
