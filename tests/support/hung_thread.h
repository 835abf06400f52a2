// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

namespace ambbpf::test {

// Keeps the thread that a process started last from running, while its others go on. To be made and
// ended by one thread. Throws std::system_error where tracing is not permitted.
class HungThread {
 public:
  explicit HungThread(pid_t process);
  ~HungThread();
  HungThread(const HungThread&) = delete;
  HungThread& operator=(const HungThread&) = delete;

 private:
  pid_t thread_ = 0;
};

}  // namespace ambbpf::test
