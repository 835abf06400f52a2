// SPDX-License-Identifier: Apache-2.0
// Programs that start further programs of their own, and mount things, all gone with one object.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "userspace/support/unique_fd.h"

namespace ambbpf::test {

// PID, mount and UTS namespaces of their own, within the calling thread's network namespace, in
// which /run and /opt are empty. Everything in them is killed, and every mount and the control
// groups below `name` removed, with the object or when the test process dies. Throws
// std::system_error where that is not permitted.
class OwnProcesses {
 public:
  explicit OwnProcesses(const std::string& name);  // of the host and of the control groups
  ~OwnProcesses();
  OwnProcesses(const OwnProcesses&) = delete;
  OwnProcesses& operator=(const OwnProcesses&) = delete;

  // A child of this process whose PATH is the system's, and whose output is appended to `log`.
  pid_t start(std::vector<std::string> words, const std::filesystem::path& log) const;

 private:
  UniqueFd namespace_of(const char* kind) const;

  UniqueFd life_;  // its end ends them
  pid_t init_ = -1;
};

}  // namespace ambbpf::test
