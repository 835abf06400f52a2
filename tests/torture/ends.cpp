// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/ends.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "tests/torture/loop.h"

namespace ambbpf::torture {
namespace {

void must(bool done, const char* what) {
  if (!done) throw std::system_error(errno, std::generic_category(), what);
}

void set_option(int socket, int level, int name, int value) {
  must(::setsockopt(socket, level, name, &value, sizeof value) == 0, "setsockopt");
}

UniqueFd new_socket(const tcp::endpoint& peer) {
  UniqueFd socket(
      ::socket(peer.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  must(static_cast<bool>(socket), "socket");
  set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  return socket;
}

void bind_to(int socket, const tcp::endpoint& address) {
  must(::bind(socket, address.data(), static_cast<socklen_t>(address.size())) == 0, "bind");
}

// Ports that rest in TIME_WAIT rest for one source address only, and loopback has many.
tcp::endpoint source_address(std::uint64_t number) {
  constexpr asio::ip::address_v4::uint_type kFirst = 0x7f010001;  // 127.1.0.1
  return {asio::ip::address_v4(kFirst + static_cast<std::uint32_t>(number % 1024)), 0};
}

std::unique_ptr<Peer> connect_client(Book& book, Account& account, const tcp::endpoint& proxy) {
  const auto script = make_script(account.number, account.seed, book.allowed());
  UniqueFd socket = new_socket(proxy);
  const auto& part = script.parts[kClient];
  if (part.receive_buffer > 0) set_option(socket.get(), SOL_SOCKET, SO_RCVBUF, part.receive_buffer);
  if (part.send_buffer > 0) set_option(socket.get(), SOL_SOCKET, SO_SNDBUF, part.send_buffer);
  if (proxy.address().is_v4() && proxy.address().is_loopback()) {
    set_option(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    bind_to(socket.get(), source_address(account.number));
  }
  account.begun[kClient] = true;
  const int done = ::connect(socket.get(), proxy.data(), static_cast<socklen_t>(proxy.size()));
  must(done == 0 || errno == EINPROGRESS, "connect");
  return std::make_unique<Peer>(std::move(socket), book, account, script);
}

}  // namespace

Listening listen_at(const tcp::endpoint& address) {
  constexpr int kBacklog = 4096;
  Listening listening{address, new_socket(address)};
  set_option(listening.socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  bind_to(listening.socket.get(), address);
  must(::listen(listening.socket.get(), kBacklog) == 0, "listen");
  auto size = static_cast<socklen_t>(listening.address.capacity());
  must(::getsockname(listening.socket.get(), listening.address.data(), &size) == 0, "getsockname");
  return listening;
}

void run_clients(Book& book, const tcp::endpoint& proxy, std::size_t concurrent) {
  Loop loop(book);
  std::uint64_t next = 0;
  while (!book.has_seen_enough() && (next < book.connections() || loop.peers() > 0)) {
    while (loop.peers() < concurrent && next < book.connections())
      loop.add(connect_client(book, book.account(next++), proxy));
    loop.turn();
  }
}

void run_backends(Book& book, std::vector<Listening> listening, const std::atomic<bool>& no_more) {
  Loop loop(book);
  for (auto& [address, socket] : listening) loop.accept_from(std::move(socket));
  for (;;) {
    const bool last = no_more;  // before the turn, so that the turn finds who came earlier
    loop.turn();
    if (last && (loop.peers() == 0 || book.has_seen_enough())) return;
  }
}

}  // namespace ambbpf::torture
