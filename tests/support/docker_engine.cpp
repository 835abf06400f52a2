// SPDX-License-Identifier: Apache-2.0
#include "tests/support/docker_engine.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "tests/support/peers.h"

namespace ambbpf::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kStart = 30s;

constexpr auto kServer = R"(#!/bin/sh
trap 'sleep "${LINGER:-0}"; exit' TERM
mkdir -p /www
hostname > /www/index.html
httpd -f -p "${PORT:-80}" -h /www &
wait
)";

std::string all_of(const UniqueFd& file) {
  std::string text;
  char piece[4096];
  for (ssize_t got = 0;
       (got = ::pread(file.get(), piece, sizeof piece, static_cast<off_t>(text.size()))) > 0;)
    text.append(piece, static_cast<std::size_t>(got));
  return text;
}

// Any program, from start to end, without an environment but PATH.
Ran run_command(std::vector<std::string> words) {
  const UniqueFd out(::memfd_create("out", MFD_CLOEXEC));
  const UniqueFd err(::memfd_create("err", MFD_CLOEXEC));
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* const environment[] = {path.data(), nullptr};

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.get(), STDERR_FILENO);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environment);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), "run " + words[0]);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return {.code = code, .out = all_of(out), .err = all_of(err)};
}

std::string must_run(const std::vector<std::string>& words) {
  auto ran = run_command(words);
  if (ran.code != 0) {
    std::string command;
    for (const auto& word : words) command += word + " ";
    throw std::runtime_error(command + "failed: " + ran.err);
  }
  if (ran.out.ends_with('\n')) ran.out.pop_back();
  return std::move(ran.out);
}

}  // namespace

DockerEngine::DockerEngine(DockerFlags flags)
    : name_(directory_.path().filename()), processes_(name_) {
  // Else it would write its key below /etc.
  std::ofstream(directory_.path() / "daemon.json")
      << R"({"deprecated-key-path": "/run/engine/key.json"})";
  start(flags);
  add_image();
}

DockerEngine::~DockerEngine() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string DockerEngine::socket() const { return directory_.path() / "docker.sock"; }

std::vector<std::string> DockerEngine::arguments() const {
  // /run is its own (OwnProcesses); and so are control groups of this name.
  std::vector<std::string> words{"/usr/sbin/dockerd",
                                 "--host=" + url(),
                                 "--config-file=" + (directory_.path() / "daemon.json").string(),
                                 "--data-root=/run/engine/data",
                                 "--exec-root=/run/engine/exec",
                                 "--pidfile=/run/engine/pid",
                                 "--group=root",
                                 "--exec-opt=native.cgroupdriver=cgroupfs",
                                 "--cgroup-parent=/" + name_};
  if (const auto& tls = flags_.tls) {
    words.insert(
        words.end(),
        {std::string("--host=") + DockerTls::kUrl, "--tlsverify", "--tlscacert=" + tls->clients_ca,
         "--tlscert=" + tls->server.certificate, "--tlskey=" + tls->server.key});
  }
  if (flags_.live_restore) words.emplace_back("--live-restore");
  return words;
}

void DockerEngine::start() {
  pid_ = processes_.start(arguments(), directory_.path() / "log");
  const auto deadline = std::chrono::steady_clock::now() + kStart;
  while (docker({"version"}).code != 0) {
    if (ended() || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("dockerd does not start: " + end_of_log());
    std::this_thread::sleep_for(20ms);
  }
}

void DockerEngine::start(DockerFlags flags) {
  flags_ = flags;
  start();
}

bool DockerEngine::ended() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ < 0;
}

void DockerEngine::stop() {
  ::kill(pid_, SIGTERM);
  if (!eventually([&] { return ended(); }))
    throw std::runtime_error("dockerd does not stop: " + end_of_log());
}

void DockerEngine::kill() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string DockerEngine::end_of_log() const {
  std::ostringstream text;
  text << std::ifstream(directory_.path() / "log").rdbuf();
  const auto log = text.str();
  return log.substr(log.size() - std::min<std::size_t>(log.size(), 2000));
}

Ran DockerEngine::docker(const std::vector<std::string>& words) const {
  std::vector<std::string> command{"/usr/bin/docker", "--host", url()};
  command.insert(command.end(), words.begin(), words.end());
  return run_command(std::move(command));
}

std::string DockerEngine::must(const std::vector<std::string>& words) const {
  std::vector<std::string> command{"/usr/bin/docker", "--host", url()};
  command.insert(command.end(), words.begin(), words.end());
  return must_run(command);
}

void DockerEngine::add_image() const {
  const auto root = directory_.path() / "root";
  const auto bin = root / "bin";
  fs::create_directories(bin);
  fs::copy_file("/bin/busybox", bin / "busybox");
  for (const auto* name : {"sh", "mkdir", "hostname", "httpd", "sleep", "touch", "rm", "test"})
    fs::create_symlink("busybox", bin / name);
  std::ofstream(bin / "serve") << kServer;
  fs::permissions(bin / "serve", fs::perms(0755));
  const auto archive = (directory_.path() / "root.tar").string();
  must_run({"/bin/tar", "--create", "--file", archive, "--directory", root, "."});
  must({"import", "--change", R"(CMD ["/bin/serve"])", archive, kImage});
}

void DockerEngine::remove_all_containers() const {
  std::istringstream ids(must({"ps", "--all", "--quiet"}));
  std::vector<std::string> words{"rm", "--force", "--volumes"};
  for (std::string id; ids >> id;) words.push_back(id);
  if (words.size() > 3) must(words);
}

}  // namespace ambbpf::test
