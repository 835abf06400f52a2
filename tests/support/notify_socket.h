// SPDX-License-Identifier: Apache-2.0
// A service manager's end of sd_notify(3).
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "tests/support/peers.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf::test {

class NotifySocket {
 public:
  explicit NotifySocket(std::filesystem::path path);

  std::string in_environment() const { return "NOTIFY_SOCKET=" + path_.string(); }

  // The next message that has this in it; earlier ones are dropped. "" if none comes in time.
  std::string hear(const std::string& part, std::chrono::milliseconds timeout = kTimeout);
  void drop_what_is_there();

 private:
  std::string next(std::chrono::milliseconds timeout);

  std::filesystem::path path_;
  UniqueFd socket_;
};

}  // namespace ambbpf::test
