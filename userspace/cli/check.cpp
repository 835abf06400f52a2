// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "userspace/cli/verbs.h"
#include "userspace/config/load.h"
#include "userspace/support/plain_text.h"

namespace ambbpf {

int run_check(const CheckOptions& options) {
  const auto loaded = load_settings(options.file);
  if (!loaded) {
    for (const auto& mistake : loaded.error()) fmt::print("{}\n", mistake.text());
    return 1;
  }
  fmt::print("{}: {}, {}, {}; all is well\n", options.file.string(),
             counted(loaded->services.size(), "service"),
             counted(loaded->etcds.size() + loaded->dockers.size(), "source"),
             counted(loaded->registrations.size(), "registration"));
  return 0;
}

}  // namespace ambbpf
