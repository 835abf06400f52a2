// SPDX-License-Identifier: Apache-2.0
// What forwarded connections tell of their backends, beside their connects.
#pragma once

#include <optional>

#include "userspace/dataplane/relay.h"
#include "userspace/endpoints/service.h"

namespace ambbpf {

// Of a connection that has lasted for so long. A backend is at fault that resets a client who has
// sent something before it has said anything, or closes within a second: so do proxies with nobody
// behind them (docker-proxy, for one), and servers that cannot serve. A client who has sent nothing
// may have been closed for that, and who ends first himself may have wanted no answer.
std::optional<BackendOutcome> learnt_from(const ConnectionEnd& end, Clock::duration lasted);

// For its service, and for the log where it is news.
void note_end(Service& service, Backend& backend, const ConnectionEnd& end, Clock::duration lasted);

}  // namespace ambbpf
