// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/unix_datagram.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>

#include "userspace/support/unique_fd.h"

namespace ambbpf {

Result<void> send_datagram(const std::string& path, std::string_view content, int flags) {
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) return fail_errno(path, ENAMETOOLONG);
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  if (path.starts_with('@')) address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket || ::sendto(socket.get(), content.data(), content.size(), flags | MSG_NOSIGNAL,
                          reinterpret_cast<const sockaddr*>(&address), size) < 0)
    return fail_errno(path);
  return {};
}

}  // namespace ambbpf
