// SPDX-License-Identifier: Apache-2.0
#include "tests/support/program.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <system_error>

#include "tests/support/peers.h"

namespace ambbpf::test {
namespace {

constexpr uid_t kNobody = 65534;

std::string contents(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (auto& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

void redirect(int fd, const std::filesystem::path& file) {
  const int opened = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (opened < 0 || ::dup2(opened, fd) < 0) ::_exit(120);
}

void limit_descriptors(rlim_t most) {
  const rlimit limit{.rlim_cur = most, .rlim_max = most};
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) ::_exit(123);
}

// A change of user drops every capability (capabilities(7)); the bounding set keeps none to regain.
void become_nobody() {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability)
    ::prctl(PR_CAPBSET_DROP, capability);
  if (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)
    ::_exit(121);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string name = "/tmp/ambbpf-test-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(), "mkdtemp " + name);
  path_ = name;
  std::filesystem::permissions(path_, std::filesystem::perms(0755));
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Program::Program(const std::vector<std::string>& arguments, const ProgramSetting& setting) {
  // A copy that nobody may reach, wherever the build stands.
  const auto binary = directory_.path() / "ambbpf";
  std::filesystem::copy_file(AMBBPF_BINARY, binary);
  std::vector<std::string> words{binary};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment{std::string("PATH=") + std::getenv("PATH")};
  environment.insert(environment.end(), setting.environment.begin(), setting.environment.end());
  auto argv = pointers(words);
  auto envp = pointers(environment);
  const auto out = directory_.path() / "out";
  const auto err = directory_.path() / "err";

  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ > 0) return;
  redirect(STDOUT_FILENO, out);  // no memory is asked for between fork(2) and execve(2)
  redirect(STDERR_FILENO, err);
  if (setting.err) ::dup2(*setting.err, STDERR_FILENO);
  if (setting.out) ::dup2(*setting.out, STDOUT_FILENO);
  for (const int fd : setting.closed) ::close(fd);
  if (setting.descriptors) limit_descriptors(*setting.descriptors);
  if (!setting.privileged) become_nobody();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // after the change of user, which clears it
  ::execve(binary.c_str(), argv.data(), envp.data());
  ::_exit(122);
}

Program::~Program() {
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string Program::out() const { return contents(directory_.path() / "out"); }
std::string Program::err() const { return contents(directory_.path() / "err"); }

bool Program::says(const std::string& text) {
  const auto said = [&] { return err().find(text) != std::string::npos; };
  return eventually([&] { return said() || !running(); }) && said();
}

void Program::signal(int number) const { ::kill(pid_, number); }

std::optional<int> Program::poll_end() {
  int status = 0;
  if (!ended_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
    ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return ended_;
}

bool Program::running() { return !poll_end(); }

int Program::wait() {
  if (!eventually([&] { return !running(); }))
    throw std::runtime_error("ambbpf does not end; it said: " + err());
  return *ended_;
}

Ran run(const std::vector<std::string>& arguments, const ProgramSetting& setting) {
  Program program(arguments, setting);
  const int code = program.wait();
  return {.code = code, .out = program.out(), .err = program.err()};
}

}  // namespace ambbpf::test
