// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include "userspace/support/asio.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf::test {

// The socket that process `owner` (this one as well) has between these two addresses, for meddling
// with what is none of our business. Throws std::runtime_error when there is no such socket.
UniqueFd borrow_socket(pid_t owner, const tcp::endpoint& local, const tcp::endpoint& remote);

// The unspecified address where there is none.
tcp::endpoint local_address(int socket);
tcp::endpoint remote_address(int socket);

}  // namespace ambbpf::test
