// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace ambbpf {

Result<void> set_connection_options(int socket) {
  struct Option {
    int level;
    int name;
    int value;
    const char* spelled;
  };
  constexpr Option kOptions[] = {
      {IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY"},
      {SOL_SOCKET, SO_OOBINLINE, 1, "SO_OOBINLINE"},
  };
  for (const auto& option : kOptions)
    if (::setsockopt(socket, option.level, option.name, &option.value, sizeof option.value) != 0)
      return fail_errno(std::string("set ") + option.spelled);
  return {};
}

}  // namespace ambbpf
