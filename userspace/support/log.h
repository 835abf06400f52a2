// SPDX-License-Identifier: Apache-2.0
// One line per event of interest, to stderr or to the journal. Each line names the connection,
// endpoint or source. A thread of its own writes them: nobody waits for a stderr that is not read.
// Lines that find no room any more replace the oldest, and their number is told when lines are
// taken again.
#pragma once

#include <spdlog/spdlog.h>

#include <array>
#include <string_view>
#include <utility>

namespace ambbpf::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

inline bool says_debug() { return spdlog::should_log(spdlog::level::debug); }

// How lines are written (log_line.h). What the journal does not take goes to stderr, as text.
enum class Format { kText, kJson, kJournald };

inline constexpr std::array<std::pair<std::string_view, Format>, 3> kFormats{{
    {"text", Format::kText},
    {"json", Format::kJson},
    {"journald", Format::kJournald},
}};

// `level`: error, warn, info or debug. Counts for lines that are logged from now on, the format for
// those as well that wait to be written. Returns false for an unknown level.
bool set_up(std::string_view level, Format format = Format::kText);

// Returns when what was logged before has been written, after a second at the latest. The process
// does so when it exits.
void flush();

}  // namespace ambbpf::log
