// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "userspace/support/close_socket.h"

namespace ambbpf {

// How a client ends that no backend is to have.
enum class Refuse { kReset, kClose };

// Returns what has been done, for the log.
inline std::string_view turn_away(UniqueFd client, Refuse how) {
  if (how == Refuse::kReset) {
    close_with_reset(std::move(client));
    return "reset";
  }
  close_in_order(std::move(client));
  return "closed";
}

}  // namespace ambbpf
