// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace ambbpf::test {

// A child of this process, killed with it, whose output is appended to `log`. words[0] is the path
// of its binary. Throws std::system_error where it cannot be started.
pid_t start_server(const std::vector<std::string>& words, const std::filesystem::path& log);

}  // namespace ambbpf::test
