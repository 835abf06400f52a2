// SPDX-License-Identifier: Apache-2.0
#include "tests/support/start_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/support/must.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf::test {

pid_t start_server(const std::vector<std::string>& words, const std::filesystem::path& log) {
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  must(::access(argv[0], X_OK) == 0, words[0]);
  const UniqueFd output(::open(log.c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600));
  must(static_cast<bool>(output), "open " + log.string());
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  must(child >= 0, "fork");
  if (child > 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // no memory is asked for between fork(2) and execve(2)
  if (::getppid() != parent) ::_exit(1);
  ::dup2(output.get(), STDOUT_FILENO);
  ::dup2(output.get(), STDERR_FILENO);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace ambbpf::test
