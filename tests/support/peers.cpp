// SPDX-License-Identifier: Apache-2.0
#include "tests/support/peers.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>
#include <utility>

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kReadSize = 256 * kKiB;

[[noreturn]] void throw_errno(const char* what, int error = errno) {
  throw std::system_error(error == EAGAIN ? ETIMEDOUT : error, std::system_category(), what);
}

void set_option(int socket, int level, int name, int value) {
  if (::setsockopt(socket, level, name, &value, sizeof value) != 0) throw_errno("setsockopt");
}

void set_buffer_sizes(int socket, Buffers buffers) {
  if (buffers.receive > 0) set_option(socket, SOL_SOCKET, SO_RCVBUF, buffers.receive);
  if (buffers.send > 0) set_option(socket, SOL_SOCKET, SO_SNDBUF, buffers.send);
}

void set_deadlines(int socket) {
  const timeval timeout{.tv_sec = kTimeout.count(), .tv_usec = 0};
  for (const int which : {SO_RCVTIMEO, SO_SNDTIMEO})
    if (::setsockopt(socket, SOL_SOCKET, which, &timeout, sizeof timeout) != 0)
      throw_errno("set a deadline");
}

UniqueFd new_socket(const tcp::endpoint& address) {
  UniqueFd socket(::socket(address.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) throw_errno("socket");
  set_deadlines(socket.get());
  return socket;
}

bool can_send_within(int socket, std::chrono::milliseconds time) {
  pollfd wanted{.fd = socket, .events = POLLOUT, .revents = 0};
  return ::poll(&wanted, 1, static_cast<int>(time.count())) > 0;
}

}  // namespace

Peer::Peer(UniqueFd socket) : socket_(std::move(socket)) {
  set_deadlines(socket_.get());
  set_option(socket_.get(), IPPROTO_TCP, TCP_NODELAY, 1);
}

Peer Peer::connect_to(const tcp::endpoint& address, Buffers buffers,
                      const std::optional<tcp::endpoint>& from) {
  UniqueFd socket = new_socket(address);
  set_buffer_sizes(socket.get(), buffers);
  if (from && ::bind(socket.get(), from->data(), static_cast<socklen_t>(from->size())) != 0)
    throw_errno("bind");
  const bool connected =
      ::connect(socket.get(), address.data(), static_cast<socklen_t>(address.size())) == 0;
  if (!connected && errno != ECONNRESET) throw_errno("connect to the proxy");
  Peer peer(std::move(socket));
  peer.was_reset_ = !connected;
  return peer;
}

void Peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) throw_errno("send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Peer::send_urgent(char byte) {
  if (::send(socket(), &byte, 1, MSG_OOB | MSG_NOSIGNAL) != 1) throw_errno("send an urgent byte");
}

void Peer::send_and_finish(std::string_view bytes) {
  set_option(socket(), IPPROTO_TCP, TCP_CORK, 1);
  send(bytes);
  finish();
}

std::size_t Peer::send_until_stalled(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    const auto sent =
        ::send(socket(), bytes.data() + taken, bytes.size() - taken, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
      taken += static_cast<std::size_t>(sent);
    else if (errno != EAGAIN)
      throw_errno("send");
    else if (!can_send_within(socket(), 1s))
      break;
  }
  return taken;
}

std::error_code Peer::send_until_broken(std::string_view bytes) {
  try {
    const auto deadline = Clock::now() + kTimeout;
    while (Clock::now() < deadline) send(bytes);
    return {};
  } catch (const std::system_error& broken) {
    return broken.code();
  }
}

std::string Peer::read_some(std::size_t at_most) {
  if (std::exchange(was_reset_, false)) throw_errno("read", ECONNRESET);
  std::string bytes(at_most, '\0');
  const auto got = ::recv(socket(), bytes.data(), at_most, 0);
  if (got < 0) throw_errno("read");
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

std::string Peer::read(std::size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    const auto more = read_some(std::min(size - bytes.size(), kReadSize));
    if (more.empty()) throw std::runtime_error("the stream ended too early");
    bytes += more;
  }
  return bytes;
}

std::string Peer::read_all() {
  auto received = read_until_end();
  if (received.error) throw std::system_error(received.error, "read up to a clean end");
  return std::move(received.bytes);
}

Received Peer::read_until_end() {
  Received received;
  try {
    for (;;) {
      const auto more = read_some(kReadSize);
      if (more.empty()) return received;
      received.bytes += more;
    }
  } catch (const std::system_error& broken) {
    received.error = broken.code();
    return received;
  }
}

void Peer::finish() {
  if (::shutdown(socket(), SHUT_WR) != 0) throw_errno("shutdown");
}

void Peer::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  if (::setsockopt(socket(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) != 0)
    throw_errno("SO_LINGER");
  close();
}

void Peer::wait_until_broken() {
  pollfd broken{.fd = socket(), .events = 0, .revents = 0};  // POLLERR and POLLHUP are implied
  const auto timeout = std::chrono::milliseconds(kTimeout).count();
  if (::poll(&broken, 1, static_cast<int>(timeout)) != 1) throw_errno("break", ETIMEDOUT);
}

Listener::Listener(const tcp::endpoint& address, int backlog)
    : socket_(new_socket(address)), address_(address) {
  if (::bind(socket(), address.data(), static_cast<socklen_t>(address.size())) != 0)
    throw_errno("bind");
  if (::listen(socket(), backlog) != 0) throw_errno("listen");
  auto size = static_cast<socklen_t>(address_.capacity());
  if (::getsockname(socket(), address_.data(), &size) != 0) throw_errno("getsockname");
}

void Listener::set_buffers(Buffers buffers) { set_buffer_sizes(socket(), buffers); }

Peer Listener::accept() {
  UniqueFd socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket) throw_errno("accept");
  return Peer(std::move(socket));
}

bool is_refused(const tcp::endpoint& address) {
  try {
    Peer::connect_to(address);
    return false;
  } catch (const std::system_error& error) {
    return error.code() == std::errc::connection_refused;
  }
}

tcp::endpoint loopback_v4() { return {asio::ip::address_v4::loopback(), 0}; }
tcp::endpoint loopback_v6() { return {asio::ip::address_v6::loopback(), 0}; }

void echo(Peer& peer) {
  for (;;) {
    const auto bytes = peer.read_some(64 * kKiB);
    if (bytes.empty()) break;
    peer.send(bytes);
  }
  peer.finish();
}

std::string bytes_from_seed(std::uint64_t seed, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at < size; at += sizeof seed) {
    seed += 0x9e3779b97f4a7c15;  // splitmix64
    std::uint64_t word = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    word ^= word >> 31;
    std::memcpy(bytes.data() + at, &word, std::min(sizeof word, size - at));
  }
  return bytes;
}

::testing::AssertionResult same(std::string_view got, std::string_view sent) {
  if (got == sent) return ::testing::AssertionSuccess();
  const auto [differs, _] = std::mismatch(got.begin(), got.end(), sent.begin(), sent.end());
  return ::testing::AssertionFailure() << got.size() << " of " << sent.size()
                                       << " bytes, wrong from byte " << differs - got.begin();
}

::testing::AssertionResult is_prefix(std::string_view got, std::string_view sent) {
  return same(got, sent.substr(0, got.size()));
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = Clock::now() + kTimeout;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

}  // namespace ambbpf::test
