// SPDX-License-Identifier: Apache-2.0
// The verbs that serve or register for as long as they run.
#include "userspace/cli/verbs.h"
#include "userspace/config/load.h"
#include "userspace/controller/controller.h"

namespace ambbpf {
namespace {

int run(Controller::Origin origin, const Settings& settings) {
  const auto controller = Controller::create(std::move(origin), settings);
  if (!controller) {
    complain(controller.error().message());
    return 1;
  }
  (*controller)->run();
  return 0;
}

}  // namespace

int run_proxy(const ProxyOptions& options) { return run({"proxy", {}}, options.settings); }
int run_forward(const ForwardOptions& options) { return run({"forward", {}}, options.settings); }
int run_register(const RegisterOptions& options) { return run({"register", {}}, options.settings); }

int run_run(const RunOptions& options) {
  const auto loaded = load_settings(options.file);
  if (loaded) return run({"run", options.file}, *loaded);
  for (const auto& mistake : loaded.error()) complain(mistake.text());
  return kUsageError;
}

}  // namespace ambbpf
