// SPDX-License-Identifier: Apache-2.0
// From the settings and the other words of a verb to what it is asked to do.
#pragma once

#include <string>
#include <vector>

#include "userspace/config/command_line.h"
#include "userspace/config/draft.h"

namespace ambbpf {

// `words`: SERVICE PORT [SERVICE PORT...]
Result<Command> proxy_command(const Draft& draft, const std::vector<std::string>& words);

// `target`: HOST:PORT
Result<Command> forward_command(Draft draft, const std::string& target);

// `words`: CONTAINER PORT SERVICE [KEY=VALUE...]; none, if `all` containers are meant.
Result<Command> register_command(Draft draft, bool all, const std::vector<std::string>& words);

}  // namespace ambbpf
