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

// Who may be listening at the address already.
enum class Beside {
  kNobody,  // another ambbpf neither
  kOurs,  // sockets of listen_on(): [::]:80 and 127.0.0.1:80 for as long as one replaces the other
};

// Fails with EADDRINUSE where anybody else listens there. `[::]` takes IPv4 as well. What accepted
// sockets inherit is set here: see socket_options.h.
Result<Listeners> listen_on(const tcp::endpoint& address, std::size_t threads,
                            Beside beside = Beside::kNobody);

// "every address": [::] where the kernel has IPv6, else 0.0.0.0.
asio::ip::address any_address();

}  // namespace ambbpf
