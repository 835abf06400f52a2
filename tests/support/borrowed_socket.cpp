// SPDX-License-Identifier: Apache-2.0
#include "tests/support/borrowed_socket.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace ambbpf::test {
namespace {

// glibc 2.36 declares these two for C only.
int pidfd_open(pid_t process) { return static_cast<int>(::syscall(SYS_pidfd_open, process, 0)); }
int pidfd_getfd(int process, int descriptor) {
  return static_cast<int>(::syscall(SYS_pidfd_getfd, process, descriptor, 0));
}

using AskForName = int (*)(int, sockaddr*, socklen_t*);

tcp::endpoint address_of(int socket, AskForName ask) {
  tcp::endpoint address;
  auto size = static_cast<socklen_t>(address.capacity());
  return ask(socket, address.data(), &size) == 0 ? address : tcp::endpoint();
}

}  // namespace

tcp::endpoint local_address(int socket) { return address_of(socket, ::getsockname); }
tcp::endpoint remote_address(int socket) { return address_of(socket, ::getpeername); }

UniqueFd borrow_socket(pid_t owner, const tcp::endpoint& local, const tcp::endpoint& remote) {
  const UniqueFd process(pidfd_open(owner));
  const auto descriptors = "/proc/" + std::to_string(owner) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(descriptors)) {
    const int number = std::stoi(entry.path().filename());
    UniqueFd candidate(pidfd_getfd(process.get(), number));
    if (candidate && local_address(candidate.get()) == local &&
        remote_address(candidate.get()) == remote)
      return candidate;
  }
  throw std::runtime_error("the process has no such socket");
}

}  // namespace ambbpf::test
