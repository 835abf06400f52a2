// SPDX-License-Identifier: Apache-2.0
#include "tests/support/own_processes.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "tests/support/must.h"

namespace ambbpf::test {
namespace {

namespace fs = std::filesystem;

// fork(2), with the child in the PID namespace `there`, or as the init of a new one.
pid_t fork_into(const UniqueFd& there) {
  const UniqueFd here(::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
  must(static_cast<bool>(here), "open /proc/self/ns/pid");
  must((there ? ::setns(there.get(), CLONE_NEWPID) : ::unshare(CLONE_NEWPID)) == 0,
       "change the PID namespace for children");
  const pid_t child = ::fork();
  if (child == 0) return 0;
  const int error = errno;
  must(::setns(here.get(), CLONE_NEWPID) == 0, "return to the PID namespace");
  errno = error;
  must(child > 0, "fork");
  return child;
}

void furnish(const std::string& name) {
  must(::unshare(CLONE_NEWNS | CLONE_NEWUTS) == 0, "unshare the mounts");
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "mount / as private");
  must(::mount("proc", "/proc", "proc", 0, nullptr) == 0, "mount /proc");
  for (const auto* place : {"/run", "/opt"})
    must(::mount("tmpfs", place, "tmpfs", 0, "mode=755") == 0, std::string("mount ") + place);
  must(::sethostname(name.data(), name.size()) == 0, "sethostname");
}

void remove_groups(const fs::path& top) {
  std::error_code ignored;
  std::vector<fs::path> groups{top};
  for (const auto& entry : fs::recursive_directory_iterator(top, ignored))
    if (entry.is_directory(ignored)) groups.push_back(entry.path());
  // The deepest first: a path sorts behind those that it begins with.
  std::sort(groups.rbegin(), groups.rend());
  for (const auto& group : groups) ::rmdir(group.c_str());
}

void remove_all_groups(const std::string& name) {
  const fs::path root = "/sys/fs/cgroup";
  std::error_code ignored;
  remove_groups(root / name);  // version 2
  for (const auto& hierarchy : fs::directory_iterator(root, ignored))
    remove_groups(hierarchy.path() / name);
}

// The namespace's init: reaps whatever is left to it, until the other end of `life` is closed.
[[noreturn]] void be_init(const std::string& name, UniqueFd life) {
  ::prctl(PR_SET_NAME, "own-processes");
  std::signal(SIGCHLD, SIG_IGN);  // reaped by the kernel
  try {
    furnish(name);
  } catch (const std::system_error& error) {
    const int code = error.code().value();
    ::send(life.get(), &code, sizeof code, MSG_NOSIGNAL);
    ::_exit(1);
  }
  const int done = 0;
  ::send(life.get(), &done, sizeof done, MSG_NOSIGNAL);
  char nothing = 0;
  while (::read(life.get(), &nothing, 1) < 0 && errno == EINTR) {
  }
  ::kill(-1, SIGKILL);
  while (::wait(nullptr) >= 0 || errno == EINTR) {
  }
  remove_all_groups(name);
  ::_exit(0);  // takes the mounts along
}

}  // namespace

OwnProcesses::OwnProcesses(const std::string& name) {
  int ends[2];
  must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
  life_ = UniqueFd(ends[0]);
  UniqueFd inits(ends[1]);
  init_ = fork_into(UniqueFd());
  if (init_ == 0) {
    life_ = UniqueFd();
    be_init(name, std::move(inits));
  }
  inits = UniqueFd();
  int error = EPIPE;
  ::recv(life_.get(), &error, sizeof error, 0);
  if (error == 0) return;
  ::waitpid(init_, nullptr, 0);
  throw std::system_error(error, std::generic_category(), "mount what the processes need");
}

OwnProcesses::~OwnProcesses() {
  life_ = UniqueFd();
  ::waitpid(init_, nullptr, 0);
}

UniqueFd OwnProcesses::namespace_of(const char* kind) const {
  const auto path = "/proc/" + std::to_string(init_) + "/ns/" + kind;
  UniqueFd opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  must(static_cast<bool>(opened), "open " + path);
  return opened;
}

pid_t OwnProcesses::start(std::vector<std::string> words, const std::filesystem::path& log) const {
  const auto pids = namespace_of("pid");
  const auto mounts = namespace_of("mnt");
  const auto host = namespace_of("uts");
  const UniqueFd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  must(static_cast<bool>(output), "open " + log.string());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* const environment[] = {path.data(), nullptr};

  const pid_t child = fork_into(pids);
  if (child > 0) return child;
  if (::setns(mounts.get(), CLONE_NEWNS) != 0 || ::setns(host.get(), CLONE_NEWUTS) != 0)
    ::_exit(126);
  ::dup2(output.get(), STDOUT_FILENO);
  ::dup2(output.get(), STDERR_FILENO);
  ::execve(argv[0], argv.data(), environment);
  ::_exit(127);
}

}  // namespace ambbpf::test
