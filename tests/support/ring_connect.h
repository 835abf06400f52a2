// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/support/asio.h"

namespace ambbpf::test {

// connect(2) by io_uring: IORING_OP_CONNECT. Its result, 0 or a negative errno; -ENOSYS or -EPERM
// where there is no io_uring to be had.
int connect_by_ring(int socket, const tcp::endpoint& address);

}  // namespace ambbpf::test
