// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/ambassador.h"
#include "userspace/cli/verbs.h"
#include "userspace/discovery/name_source.h"
#include "userspace/support/log.h"

namespace ambbpf {

int run_forward(const ForwardOptions& options) {
  log::set_up(options.forwarding.log_level);
  const auto& [host, port] = options.target;
  auto ambassador = Ambassador::create("forward", options.forwarding,
                                       {{to_string(options.target), options.listen}});
  if (!ambassador) {
    complain(ambassador.error().message());
    return 1;
  }
  (*ambassador)->follow(0, std::make_unique<NameSource>((*ambassador)->io(), host, port));
  (*ambassador)->run();
  return 0;
}

}  // namespace ambbpf
