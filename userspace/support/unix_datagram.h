// SPDX-License-Identifier: Apache-2.0
// What is told to a daemon of this machine in one datagram (unix(7)).
#pragma once

#include <string>
#include <string_view>

#include "userspace/support/result.h"

namespace ambbpf {

// To the socket at `path`, or at an abstract address if that begins with '@'. Waits for room,
// unless `flags`, those of send(2), have MSG_DONTWAIT: then EAGAIN. More than some 200 KB fails
// (EMSGSIZE).
Result<void> send_datagram(const std::string& path, std::string_view content, int flags = 0);

}  // namespace ambbpf
