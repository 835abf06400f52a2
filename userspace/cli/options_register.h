// SPDX-License-Identifier: Apache-2.0
// The options of `ambbpf register`.
#pragma once

#include <string>
#include <vector>

#include "userspace/cli/options.h"
#include "userspace/cli/options_docker.h"
#include "userspace/cli/options_etcd.h"

namespace ambbpf {

// As given, before it is checked.
struct GivenRegister {
  std::vector<std::string> words;
  bool all = false;
  GivenEtcd etcd;
  GivenDocker docker;
  std::uint64_t ttl_ms = 5000;
  std::string advertise;
  std::string admin;
  std::string log_level = "info";
};

void add_register(CLI::App& verb, GivenRegister& given);

Result<Command> register_options(const GivenRegister& given);

}  // namespace ambbpf
