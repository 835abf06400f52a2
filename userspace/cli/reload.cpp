// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/verbs.h"

namespace ambbpf {

int run_reload(const ReloadOptions&) {
  complain("no process of this version can be told to reload");
  return 1;
}

}  // namespace ambbpf
