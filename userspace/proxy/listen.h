// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "userspace/support/asio.h"
#include "userspace/support/result.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

// Sockets that listen on one address, one for each thread; the kernel spreads the connections over
// them (SO_REUSEPORT).
struct Listeners {
  tcp::endpoint address;  // with the real port where 0 was asked for
  std::vector<UniqueFd> sockets;
};

// Fails with EADDRINUSE where anybody listens there already, another ambbpf included.
// `[::]` takes IPv4 as well. What accepted sockets inherit is set here: see socket_options.h.
Result<Listeners> listen_on(const tcp::endpoint& address, std::size_t threads);

// "every address": [::] where the kernel has IPv6, else 0.0.0.0.
asio::ip::address any_address();

}  // namespace ambbpf
