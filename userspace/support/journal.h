// SPDX-License-Identifier: Apache-2.0
// systemd's journal, by its native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL).
#pragma once

#include <string_view>

#include "userspace/support/result.h"

namespace ambbpf {

// One entry: "NAME=value\n" for each field, the value without a line break. May wait for as long as
// the journal does not read. Fails where there is no journal.
Result<void> send_to_journal(std::string_view entry);

}  // namespace ambbpf
