// SPDX-License-Identifier: Apache-2.0
// What `ambbpf status --watch` shows, as lines that fit a terminal.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "userspace/admin/connection_report.h"
#include "userspace/admin/status_report.h"

namespace ambbpf {

// What a process told at one time. `sums` is for its services; none: it is older than these.
struct Sight {
  StatusReport report;
  std::optional<ConnectionReport> sums;
};

struct WatchedProcess {
  std::string socket;
  std::optional<Sight> now;  // empty: see `missing`
  std::optional<Sight>
      before;           // rates are since then; empty, or of another process: there are none
  std::string missing;  // why it does not answer
};

enum class Paint { kPlain, kHead, kFaint, kWarning, kTrouble };

struct WatchLine {
  std::string text;  // ASCII but for a …
  Paint paint = Paint::kPlain;
};

// No line is longer than `columns`; columns of tables for which there is no room are left out, the
// less important ones first.
std::vector<WatchLine> watch_lines(const WatchedProcess& process, std::size_t columns);

// No more lines than `rows`: the last one says how many are missing.
std::vector<WatchLine> fitted(std::vector<WatchLine> lines, std::size_t rows, std::size_t columns);

// For a terminal: from its first row on, each line to the end of its row.
std::string painted(const std::vector<WatchLine>& lines, bool in_colour);

}  // namespace ambbpf
