// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>

#include "userspace/cli/verbs.h"
#include "userspace/dataplane/probe.h"
#include "userspace/support/log.h"

namespace ambbpf {
namespace {

void print(const EngineTrial& trial) {
  fmt::print("{:<8} {} ({} ms)\n", name_of(trial.engine),
             trial.usable() ? "works" : "cannot be used: " + trial.refusal, trial.took.count());
  for (const auto& finding : trial.findings)
    fmt::print("  {:<4} {}{}{}\n", finding.ok ? "ok" : "FAIL", finding.what,
               finding.detail.empty() ? "" : ": ", finding.detail);
  if (!trial.advice.empty()) fmt::print("  what to do: {}\n", trial.advice);
}

}  // namespace

int run_doctor(const DoctorOptions& options) {
  log::set_up(options.log_level);
  std::optional<Engine> best;
  for (const auto engine : {Engine::kSockmap, Engine::kSplice, Engine::kCopy}) {
    const auto trial = try_engine(engine);
    print(trial);
    if (trial.usable() && !best) best = engine;
  }
  if (!best) {
    fmt::print("\nNo engine works here.\n");
    return 2;
  }
  fmt::print("\n--engine auto takes: {}\n", name_of(*best));
  return best == Engine::kSockmap ? 0 : 1;
}

}  // namespace ambbpf
