// SPDX-License-Identifier: Apache-2.0
// One line per event of interest, to stderr. Each line names the connection, endpoint or source.
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

}  // namespace ambbpf::log
