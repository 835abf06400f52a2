// SPDX-License-Identifier: Apache-2.0
// systemd's journal, by its native protocol.
#pragma once

#include <span>
#include <string_view>

#include "userspace/support/result.h"

namespace ambbpf {

// One entry; each field is "NAME=value". May wait for as long as the journal does not read. Fails
// where there is no journal.
Result<void> send_to_journal(std::span<const std::string_view> fields);

}  // namespace ambbpf
