// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/journal.h"

#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <vector>

namespace ambbpf {

Result<void> send_to_journal(std::span<const std::string_view> fields) {
  constexpr auto kSocket = "/run/systemd/journal/socket";
  // sd_journal_sendv(3) takes a journal that is not there for one that has read.
  if (::access(kSocket, W_OK) != 0) return fail_errno(kSocket);
  std::vector<iovec> pieces;
  pieces.reserve(fields.size());
  for (const auto field : fields) pieces.push_back({const_cast<char*>(field.data()), field.size()});
  // In parentheses, as it is a macro that adds where it was called.
  const int sent = (sd_journal_sendv)(pieces.data(), static_cast<int>(pieces.size()));
  if (sent < 0) return fail_errno(kSocket, -sent);
  return {};
}

}  // namespace ambbpf
