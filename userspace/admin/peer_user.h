// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ambbpf {

// The user whose process is at the other end of a Unix socket (SO_PEERCRED, unix(7)): "root", or
// "uid 1000" where the system knows no name for it.
std::string user_of_peer(int socket);

}  // namespace ambbpf
