// SPDX-License-Identifier: Apache-2.0
// Where the lines of the access log go. Each takes as many of `lines`, whole lines or the rest of
// one and whole lines, as it can at once, and says how many bytes these were; or why none. Then the
// same is to be offered again.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "userspace/support/result.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

// Appended to; also a FIFO, or a device. Opened when there is something to write.
class AccessFile {
 public:
  explicit AccessFile(std::string path) : path_(std::move(path)) {}
  Result<std::size_t> write(std::string_view lines);
  void reopen() { file_ = UniqueFd(); }  // before the next line: it may be another one by now

 private:
  const std::string path_;
  UniqueFd file_;
};

// syslog(3). May wait for as long as it does not read.
class AccessSyslog {
 public:
  static Result<std::size_t> write(std::string_view lines);
};

// Entries as AccessLines makes them for it. May wait as well.
class AccessJournal {
 public:
  static Result<std::size_t> write(std::string_view entries);
};

using AccessTarget = std::variant<AccessFile, AccessSyslog, AccessJournal>;

inline constexpr std::string_view kSyslog = "syslog";
inline constexpr std::string_view kJournald = "journald";

// "syslog", "journald" or a path.
AccessTarget access_target(const std::string& name);

}  // namespace ambbpf
