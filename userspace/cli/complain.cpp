// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>

#include "userspace/cli/verbs.h"
#include "userspace/support/log.h"

namespace ambbpf {

void complain(const std::string& what) {
  log::flush();  // what led to it comes first
  fmt::print(stderr, "ambbpf: {}\n", what);
}

}  // namespace ambbpf
