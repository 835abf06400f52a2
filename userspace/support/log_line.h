// SPDX-License-Identifier: Apache-2.0
// A line of the log as it is written.
#pragma once

#include <spdlog/common.h>
#include <spdlog/details/log_msg.h>

#include <memory>
#include <string>

#include "userspace/support/result.h"

namespace ambbpf::log {

// For people: time, level and what is said; under journald (JOURNAL_STREAM is set) the priority
// that systemd reads (sd-daemon(3): "<4>…") in place of the first two. ASCII, and one line each.
std::unique_ptr<spdlog::formatter> text_formatter();

// {"time": "2026-11-27T02:19:10.000123Z", "level": "warn", "message": "…"}, without a line break.
std::string json_line(const spdlog::details::log_msg& line);

// To the journal, with the priority and the name of this program.
Result<void> to_journal(const spdlog::details::log_msg& line);

}  // namespace ambbpf::log
