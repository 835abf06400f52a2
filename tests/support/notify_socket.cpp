// SPDX-License-Identifier: Apache-2.0
#include "tests/support/notify_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace ambbpf::test {

NotifySocket::NotifySocket(std::filesystem::path path)
    : path_(std::move(path)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.native().copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::system_error(errno, std::generic_category(), "bind " + path_.string());
}

std::string NotifySocket::hear(const std::string& part, std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    auto message = next(std::max(left, std::chrono::milliseconds(0)));
    if (message.empty() || message.find(part) != std::string::npos) return message;
  }
}

void NotifySocket::drop_what_is_there() {
  while (!next(std::chrono::milliseconds(0)).empty()) continue;
}

std::string NotifySocket::next(std::chrono::milliseconds timeout) {
  pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, static_cast<int>(timeout.count())) != 1) return {};
  std::array<char, 4096> message;
  const auto size = ::recv(socket_.get(), message.data(), message.size(), MSG_DONTWAIT);
  return {message.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

}  // namespace ambbpf::test
