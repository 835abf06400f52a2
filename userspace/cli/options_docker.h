// SPDX-License-Identifier: Apache-2.0
// The options of the verbs that talk to Docker.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "userspace/docker/address.h"

namespace ambbpf {

// As given, before it is checked.
struct GivenDocker {
  std::string host;
  std::string ca;
  std::string certificate;
  std::string key;
  bool ignore_health = false;
};

// Makes `verb` take them; `given` outlives the parsing.
void add_docker(CLI::App& verb, GivenDocker& given);

// DOCKER_TLS_VERIFY and DOCKER_CERT_PATH count as they do for the docker command.
Result<DockerAddress> docker_choice(const GivenDocker& given);

}  // namespace ambbpf
