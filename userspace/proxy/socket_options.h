// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/support/result.h"

namespace ambbpf {

// What both sockets of a connection are set to; accepted ones inherit it from the listener:
//   TCP_NODELAY   the peers have coalesced already what they want coalesced
//   SO_OOBINLINE  an urgent byte is a byte of the stream, and arrives in its place
// What only a long connection needs is set later: dataplane/peer_watch.h.
Result<void> set_connection_options(int socket);

}  // namespace ambbpf
