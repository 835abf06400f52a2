// SPDX-License-Identifier: Apache-2.0
// The options of the verbs that talk to etcd.
#pragma once

#include <string>

#include "userspace/cli/options.h"

namespace CLI {
class App;
}

namespace ambbpf {

// As given, before it is checked.
struct GivenEtcd {
  std::string urls;
  std::string api = "auto";
  std::string prefix = "/services";
};

// Makes `verb` take them; `given` outlives the parsing.
void add_etcd(CLI::App& verb, GivenEtcd& given);

Result<EtcdChoice> etcd_choice(const GivenEtcd& given);

}  // namespace ambbpf
