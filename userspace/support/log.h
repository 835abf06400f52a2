// SPDX-License-Identifier: Apache-2.0
// One line per event of interest, to stderr. Each line names the connection, endpoint or source.
// A thread of its own writes them: nobody waits for a stderr that is not read. Lines that find no
// room any more replace the oldest, and their number is told when stderr takes lines again.
#pragma once

#include <spdlog/spdlog.h>

#include <string_view>

namespace ambbpf::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

inline bool says_debug() { return spdlog::should_log(spdlog::level::debug); }

// `level`: error, warn, info or debug. Under journald (JOURNAL_STREAM is set) lines carry the
// syslog priority that systemd reads (sd-daemon(3): "<4>…") in place of a time stamp.
// Returns false for an unknown level.
bool set_up(std::string_view level);

// Returns when what was logged before has been written, after a second at the latest. The process
// does so when it exits.
void flush();

}  // namespace ambbpf::log
