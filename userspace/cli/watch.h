// SPDX-License-Identifier: Apache-2.0
// `ambbpf status --watch`.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "userspace/admin/admin_paths.h"

namespace ambbpf {

// Shows what the processes do, anew after `every`: on stdout, in the whole of it where it is a
// screen, else as one text after the other. It ends by a signal, or returns 0 when nobody reads
// stdout any more.
int watch_status(const std::optional<std::filesystem::path>& admin, const AdminPlaces& places,
                 std::chrono::milliseconds every);

}  // namespace ambbpf
