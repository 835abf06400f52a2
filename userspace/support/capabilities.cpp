// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/capabilities.h"

#include <linux/capability.h>

#include <cstdint>
#include <fstream>

namespace ambbpf {
namespace {

// Of this thread: bit N is the capability with that number.
std::uint64_t effective_capabilities() {
  std::uint64_t effective = 0;
  std::ifstream status("/proc/thread-self/status");
  for (std::string word; status >> word;)
    if (word == "CapEff:") status >> std::hex >> effective;
  return effective;
}

bool has(std::uint64_t effective, unsigned capability) {
  return (effective >> capability & 1U) != 0;
}

}  // namespace

std::vector<std::string> capabilities_missing_for_bpf() {
  const auto effective = effective_capabilities();
  const bool admin = has(effective, CAP_SYS_ADMIN);
  std::vector<std::string> missing;
  if (!admin && !has(effective, CAP_BPF)) missing.emplace_back("CAP_BPF");
  if (!admin && !has(effective, CAP_PERFMON)) missing.emplace_back("CAP_PERFMON");
  if (!has(effective, CAP_NET_ADMIN)) missing.emplace_back("CAP_NET_ADMIN");
  return missing;
}

bool may_look_into_processes() { return has(effective_capabilities(), CAP_SYS_PTRACE); }

}  // namespace ambbpf
