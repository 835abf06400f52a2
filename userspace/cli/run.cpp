// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/verbs.h"
#include "userspace/config/load.h"

namespace ambbpf {

int run_run(const RunOptions& options) {
  const auto loaded = load_settings(options.file);
  if (loaded) {
    complain(options.file.string() + " is in order, but cannot be put in force by this version");
    return 1;
  }
  for (const auto& mistake : loaded.error()) complain(mistake.text());
  return 1;
}

}  // namespace ambbpf
