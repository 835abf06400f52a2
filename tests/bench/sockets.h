// SPDX-License-Identifier: Apache-2.0
// The few socket calls that the load generator makes. All throw std::system_error.
#pragma once

#include <netinet/in.h>
#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "userspace/support/unique_fd.h"

namespace ambbpf::bench {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// "127.0.0.1:9000"; throws std::invalid_argument.
sockaddr_in parse_address(const std::string& text);

UniqueFd listen_on(const sockaddr_in& address);         // non-blocking
UniqueFd connect_to(const sockaddr_in& address);        // blocking, gives up after seconds
UniqueFd begin_connecting(const sockaddr_in& address);  // non-blocking
void set_nonblocking(int socket);
void set_nodelay(int socket);

// For blocking sockets.
void send_all(int socket, std::string_view bytes);
void read_exactly(int socket, std::span<char> bytes);

// For non-blocking ones.
inline constexpr ssize_t kWouldBlock = -1;
ssize_t read_some(int socket, std::span<char> bytes);  // 0 is the end of the stream
ssize_t send_some(int socket, std::string_view bytes);

class Epoll {
 public:
  Epoll();
  void add(int fd, std::uint32_t events, std::uint64_t tag);
  void modify(int fd, std::uint32_t events, std::uint64_t tag);
  std::span<const epoll_event> wait(std::chrono::milliseconds timeout);

 private:
  UniqueFd epoll_;
  std::array<epoll_event, 256> events_;
};

}  // namespace ambbpf::bench
