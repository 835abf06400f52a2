// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>

#include "userspace/cli/verbs.h"

namespace ambbpf {

void complain(const std::string& what) { fmt::print(stderr, "ambbpf: {}\n", what); }

}  // namespace ambbpf
