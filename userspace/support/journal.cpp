// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/journal.h"

#include "userspace/support/unix_datagram.h"

namespace ambbpf {

Result<void> send_to_journal(std::string_view entry) {
  return send_datagram("/run/systemd/journal/socket", entry);
}

}  // namespace ambbpf
