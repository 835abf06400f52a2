// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/docker/container.h"
#include "userspace/support/result.h"

namespace ambbpf {

// Where a container's TCP port is to be reached from other machines, of which `advertised` is this
// host's address: there, if the port is published on it or on every address of its family; else on
// the address that the port is published on; with --net=host at the port itself. A container in
// another's network has that one's bindings. The error says why it is to be reached nowhere: "port
// 80 is not published".
Result<tcp::endpoint> published_address(const Containers& containers, const Container& container,
                                        unsigned short port, const asio::ip::address& advertised);

}  // namespace ambbpf
