// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/peer_user.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/socket.h>

#include <array>

namespace ambbpf {

std::string user_of_peer(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "somebody";
  std::array<char, 4096> text{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(peer.uid, &entry, text.data(), text.size(), &found) == 0 && found)
    return found->pw_name;
  return fmt::format("uid {}", peer.uid);
}

}  // namespace ambbpf
