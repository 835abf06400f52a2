// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "userspace/cli/verbs.h"
#include "userspace/dataplane/probe.h"
#include "userspace/direct/cgroup.h"
#include "userspace/direct/direct.h"
#include "userspace/direct/local_addresses.h"
#include "userspace/direct/network_namespace.h"
#include "userspace/direct/pins.h"
#include "userspace/support/log.h"

namespace ambbpf {
namespace {

void print_how_to_give(const std::vector<std::string>& missing) {
  std::error_code unknown;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  fmt::print(
      "  it lacks {}; one of these gives it what it takes:\n"
      "    setcap cap_bpf,cap_perfmon,cap_net_admin+ep {}\n"
      "    docker run --cap-add BPF --cap-add PERFMON --cap-add NET_ADMIN ...\n"
      "    AmbientCapabilities=CAP_BPF CAP_PERFMON CAP_NET_ADMIN, in a unit of systemd\n"
      "  (SYS_ADMIN where BPF and PERFMON are not known)\n",
      fmt::join(missing, ", "), unknown ? "ambbpf" : program.string());
}

void print(const EngineTrial& trial) {
  fmt::print("{:<8} {} ({} ms)\n", name_of(trial.engine),
             trial.usable() ? "works" : "cannot be used: " + trial.refusal, trial.took.count());
  for (const auto& finding : trial.findings)
    fmt::print("  {:<4} {}{}{}\n", finding.ok ? "ok" : "FAIL", finding.what,
               finding.detail.empty() ? "" : ": ", finding.detail);
  if (!trial.missing_capabilities.empty())
    print_how_to_give(trial.missing_capabilities);
  else if (!trial.advice.empty())
    fmt::print("  what to do: {}\n", trial.advice);
}

void print_ability(const std::string& what, const Result<void>& can, std::string_view needs) {
  if (can)
    fmt::print("  ok   {}\n", what);
  else
    fmt::print("  FAIL {}: {}\n       it takes {}\n", what, can.error().message(), needs);
}

Result<void> check_whole_host() {
  const auto cgroup = open_cgroup(std::nullopt);
  if (!cgroup) return tl::unexpected(cgroup.error());
  if (cgroup->is_part) return fail("the cgroup " + cgroup->name + " is a part of it");
  return {};
}

Result<void> check_addresses_can_be_listed() {
  auto addresses = LocalAddresses::open();
  if (!addresses) return tl::unexpected(addresses.error());
  const auto listed = addresses->list();
  if (!listed) return tl::unexpected(listed.error());
  return {};
}

Result<void> check_can_pin() {
  const auto pins = Pins::create();
  if (!pins) return tl::unexpected(pins.error());
  return {};
}

// Loads and attaches the programs for a moment, in which they know no listener.
void print_direct() {
  asio::io_context io;
  const auto tried = Direct::create(io, DirectOptions());
  if (!tried) {
    fmt::print(
        "{:<8} cannot be used: {}\n"
        "  consumers go by the proxy; it takes CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, cgroup v2 (or\n"
        "  CAP_SYS_ADMIN to mount it), and Linux 5.10 with BTF\n",
        "direct", tried.error().message());
    return;
  }
  fmt::print("{:<8} works, for consumers below the cgroup {}\n", "direct", (*tried)->cgroup());
  print_ability("consumers of the whole host", check_whole_host(),
                "the host's cgroups: -v /sys/fs/cgroup:/sys/fs/cgroup:ro");
  print_ability("a listener on every address", check_addresses_can_be_listed(),
                "netlink sockets: RestrictAddressFamilies=AF_NETLINK in a unit");
  print_ability("consumers in other network namespaces", check_namespaces_can_be_entered(),
                "CAP_SYS_ADMIN and CAP_SYS_PTRACE; RestrictNamespaces=net in a unit");
  fmt::print("       those whose processes are in /proc here: in a container, --pid host\n");
  print_ability("fail_static", check_can_pin(),
                "/sys/fs/bpf: its owner or CAP_DAC_OVERRIDE, and in a container\n"
                "       -v /sys/fs/bpf:/sys/fs/bpf; for a unit see the head of ambbpf.service");
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
  print_direct();
  if (!best) {
    fmt::print("\nNo engine works here.\n");
    return 1;
  }
  fmt::print("\n--engine auto takes: {}\n", name_of(*best));
  if (best != Engine::kSockmap)
    fmt::print("It works, but every byte passes through user space; see above for the rest.\n");
  return 0;
}

}  // namespace ambbpf
