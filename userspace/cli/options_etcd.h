// SPDX-License-Identifier: Apache-2.0
// The options of the verbs that talk to etcd.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "userspace/cli/options.h"

namespace ambbpf {

// As given, before it is checked.
struct GivenEtcd {
  std::string urls;
  std::string api = "auto";
  std::string prefix = "/services";
  std::string ca;
  std::string certificate;
  std::string key;
  std::string user;
  std::string password_file;
};

// Makes `verb` take them; `given` outlives the parsing.
void add_etcd(CLI::App& verb, GivenEtcd& given);

// Reads the password, and sees that the other files can be read; a password without a file is in
// AMBBPF_ETCD_PASSWORD only.
Result<EtcdChoice> etcd_choice(const GivenEtcd& given);

}  // namespace ambbpf
