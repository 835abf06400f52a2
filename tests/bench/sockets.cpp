// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <system_error>

namespace ambbpf::bench {
namespace {

constexpr timeval kTimeout{.tv_sec = 10, .tv_usec = 0};  // for one blocking call

[[noreturn]] void throw_errno(const char* what) {
  throw std::system_error(errno, std::system_category(), what);
}

ssize_t check(ssize_t result, const char* what) {
  if (result < 0) throw_errno(what);
  return result;
}

UniqueFd tcp_socket(int flags) {
  return UniqueFd(
      static_cast<int>(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket")));
}

const sockaddr* generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

ssize_t would_block_or_throw(const char* what) {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return kWouldBlock;
  throw_errno(what);
}

}  // namespace

sockaddr_in parse_address(const std::string& text) {
  const auto colon = text.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  std::uint16_t port = 0;
  if (colon == std::string::npos ||
      ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) != 1 ||
      std::from_chars(text.data() + colon + 1, text.data() + text.size(), port).ptr !=
          text.data() + text.size()) {
    throw std::invalid_argument(text + " is not ADDRESS:PORT");
  }
  address.sin_port = htons(port);
  return address;
}

UniqueFd listen_on(const sockaddr_in& address) {
  UniqueFd socket = tcp_socket(SOCK_NONBLOCK);
  const int on = 1;
  check(::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
  check(::bind(socket.get(), generic(address), sizeof address), "bind");
  check(::listen(socket.get(), SOMAXCONN), "listen");
  return socket;
}

UniqueFd connect_to(const sockaddr_in& address) {
  UniqueFd socket = tcp_socket(0);
  for (const int which : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    check(::setsockopt(socket.get(), SOL_SOCKET, which, &kTimeout, sizeof kTimeout), "timeout");
  }
  check(::connect(socket.get(), generic(address), sizeof address), "connect");
  set_nodelay(socket.get());
  return socket;
}

UniqueFd begin_connecting(const sockaddr_in& address) {
  UniqueFd socket = tcp_socket(SOCK_NONBLOCK);
  if (::connect(socket.get(), generic(address), sizeof address) < 0 && errno != EINPROGRESS) {
    throw_errno("connect");
  }
  return socket;
}

void set_nonblocking(int socket) { check(::fcntl(socket, F_SETFL, O_NONBLOCK), "O_NONBLOCK"); }

void set_nodelay(int socket) {
  const int on = 1;
  check(::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
}

void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    bytes.remove_prefix(check(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL), "send"));
  }
}

void read_exactly(int socket, std::span<char> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = check(::recv(socket, bytes.data(), bytes.size(), 0), "recv");
    if (got == 0) throw std::runtime_error("the stream ended early");
    bytes = bytes.subspan(got);
  }
}

ssize_t read_some(int socket, std::span<char> bytes) {
  const ssize_t got = ::recv(socket, bytes.data(), bytes.size(), 0);
  return got < 0 ? would_block_or_throw("recv") : got;
}

ssize_t send_some(int socket, std::string_view bytes) {
  const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return sent < 0 ? would_block_or_throw("send") : sent;
}

Epoll::Epoll() : epoll_(static_cast<int>(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"))) {}

void Epoll::add(int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  check(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

void Epoll::modify(int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  check(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event), "epoll_ctl");
}

std::span<const epoll_event> Epoll::wait(std::chrono::milliseconds timeout) {
  const int count = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()),
                                 static_cast<int>(timeout.count()));
  if (count < 0 && errno != EINTR) throw_errno("epoll_wait");
  return {events_.data(), static_cast<std::size_t>(count < 0 ? 0 : count)};
}

}  // namespace ambbpf::bench
