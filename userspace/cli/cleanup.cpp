// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "userspace/cli/verbs.h"
#include "userspace/direct/pins.h"

namespace ambbpf {
namespace {

std::string silence_of(const Pinned& pinned) {
  if (!pinned.control) return "which was never whole";
  return fmt::format("of a process that has been silent for {} s",
                     std::chrono::duration_cast<std::chrono::seconds>(pinned.silent).count());
}

}  // namespace

int run_cleanup() {
  int failed = 0;
  int removed = 0;
  for (const auto& pinned : list_pinned()) {
    if (pinned.is_alive() && pinned.is_of_use()) continue;
    if (auto done = remove_pins(pinned.directory); !done) {
      complain(done.error().message());
      ++failed;
      continue;
    }
    fmt::print("removed {}, {}\n", pinned.directory.string(), silence_of(pinned));
    ++removed;
  }
  if (removed == 0 && failed == 0) fmt::print("nothing is left of a process that is gone\n");
  return failed == 0 ? 0 : 1;
}

}  // namespace ambbpf
