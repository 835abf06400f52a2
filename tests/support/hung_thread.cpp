// SPDX-License-Identifier: Apache-2.0
#include "tests/support/hung_thread.h"

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

namespace ambbpf::test {

HungThread::HungThread(pid_t process) {
  // Listed in the order in which they were started.
  const auto threads = "/proc/" + std::to_string(process) + "/task";
  for (const auto& entry : std::filesystem::directory_iterator(threads))
    thread_ = std::stoi(entry.path().filename());
  // Of a SIGSTOP, all threads would stop (ptrace(2), "Attaching and detaching").
  if (::ptrace(PTRACE_SEIZE, thread_, nullptr, nullptr) != 0 ||
      ::ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr) != 0 ||
      ::waitpid(thread_, nullptr, __WALL) != thread_)
    throw std::system_error(errno, std::generic_category(), "stop a thread");
}

HungThread::~HungThread() { ::ptrace(PTRACE_DETACH, thread_, nullptr, nullptr); }

}  // namespace ambbpf::test
