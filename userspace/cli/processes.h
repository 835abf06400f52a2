// SPDX-License-Identifier: Apache-2.0
// The processes to be asked.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "userspace/cli/admin_client.h"

namespace ambbpf {

// The admin socket that was named, or those behind which somebody answers. None: nothing runs.
std::vector<std::filesystem::path> sockets_to_ask(
    const std::optional<std::filesystem::path>& named);

// As ask_process(); the error names the socket.
Result<AdminAnswer> ask_named(const std::filesystem::path& socket, const std::string& path,
                              std::chrono::seconds wait = {});

// Says so. Returns the exit code.
int nothing_runs();

}  // namespace ambbpf
