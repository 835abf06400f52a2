// SPDX-License-Identifier: Apache-2.0
// Where processes put their admin sockets when not told, and `ambbpf status` looks for them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/support/result.h"

namespace ambbpf {

// In the order of preference. A process uses the first that is there, or can be made, and that it
// may write to; status looks into all of them.
struct AdminPlaces {
  // Below it, services that run as different users may have directories of their own (systemd's
  // RuntimeDirectory=ambbpf/NAME).
  std::filesystem::path system = "/run/ambbpf";
  // That of the unit ($RUNTIME_DIRECTORY, the first of them), else $XDG_RUNTIME_DIR/ambbpf; empty:
  // there is none.
  std::filesystem::path runtime;
  std::filesystem::path temporary;  // /tmp/ambbpf-UID; only if it is our own and its mode is 0700

  static AdminPlaces usual();
  std::vector<std::filesystem::path> all() const;
};

// "<the first usable place>/<verb>-<pid>.sock". Makes the place if it is missing and clears it of
// *.sock files that nobody answers any more. Fails if no place is usable, and says why for each.
Result<std::filesystem::path> default_admin_path(std::string_view verb,
                                                 const AdminPlaces& places = AdminPlaces::usual());

// Where a process's admin socket is to be: `given`, or where nothing is given default_admin_path().
// A directory that is missing is made if it is one of the places, and nowhere else.
Result<std::filesystem::path> admin_path(const std::optional<std::filesystem::path>& given,
                                         std::string_view verb,
                                         const AdminPlaces& places = AdminPlaces::usual());

// Every *.sock in the places and in the directories of the system's, alive or left over, place by
// place and sorted by name.
std::vector<std::filesystem::path> known_admin_sockets(
    const AdminPlaces& places = AdminPlaces::usual());

}  // namespace ambbpf
