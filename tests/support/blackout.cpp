// SPDX-License-Identifier: Apache-2.0
#include "tests/support/blackout.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace ambbpf::test {

void cut_off(int socket) {
  sock_filter take_nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{.len = 1, .filter = &take_nothing};
  if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
    throw std::system_error(errno, std::system_category(), "SO_ATTACH_FILTER");
}

void join_again(int socket) {
  const int unused = 0;
  if (::setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused) != 0)
    throw std::system_error(errno, std::system_category(), "SO_DETACH_FILTER");
}

}  // namespace ambbpf::test
