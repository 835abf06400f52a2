// SPDX-License-Identifier: Apache-2.0
// A real Docker Engine for tests, in the calling thread's network namespace (enter_own_network()),
// and with nothing of the machine's. It is gone with the object, its containers and mounts as well,
// and with the test process, however that ends.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/support/authority.h"
#include "tests/support/own_processes.h"
#include "tests/support/program.h"

namespace ambbpf::test {

// Serves on TCP as well, to those who show a certificate.
struct DockerTls {
  static constexpr auto kUrl = "tcp://127.0.0.1:2376";
  Certificate server;
  std::string clients_ca;
};

struct DockerFlags {
  bool live_restore = false;  // containers run on while the engine is away
  std::optional<DockerTls> tls = std::nullopt;
};

class DockerEngine {
 public:
  // The image that it has. Its containers serve their own host name over HTTP on port $PORT (80),
  // and do so for another $LINGER seconds (0) after SIGTERM.
  static constexpr auto kImage = "small";

  explicit DockerEngine(DockerFlags flags = {});  // ready when this returns
  ~DockerEngine();
  DockerEngine(const DockerEngine&) = delete;
  DockerEngine& operator=(const DockerEngine&) = delete;

  std::string socket() const;  // the file
  std::string url() const { return "unix://" + socket(); }
  const std::string& name() const { return name_; }  // the host's, as the engine has it

  void stop();   // as `systemctl stop docker` would; throws when that takes longer than 20 s
  void kill();   // as a crash would: containers run on
  void start();  // again, with the same containers
  void start(DockerFlags flags);

  // The command `docker`, from start to end.
  Ran docker(const std::vector<std::string>& words) const;
  // What it prints, without the newline at the end; throws std::runtime_error when it fails.
  std::string must(const std::vector<std::string>& words) const;

  void remove_all_containers() const;

 private:
  std::vector<std::string> arguments() const;
  void add_image() const;
  bool ended();
  std::string end_of_log() const;

  DockerFlags flags_;
  TemporaryDirectory directory_;  // socket, configuration and log
  std::string name_;
  OwnProcesses processes_;
  pid_t pid_ = -1;
};

}  // namespace ambbpf::test
