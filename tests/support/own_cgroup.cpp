// SPDX-License-Identifier: Apache-2.0
#include "tests/support/own_cgroup.h"

#include <unistd.h>

#include <fstream>

#include "tests/support/must.h"

namespace ambbpf::test {
namespace {

constexpr std::string_view kVersion2 = "0::";  // cgroups(7)

std::filesystem::path cgroup_of_this_process() {
  std::ifstream groups("/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line) && !line.starts_with(kVersion2)) continue;
  must(line.starts_with(kVersion2), "find the cgroup of this process");
  const std::filesystem::path beside_v1 = "/sys/fs/cgroup/unified";
  const auto root = std::filesystem::exists(beside_v1) ? beside_v1 : beside_v1.parent_path();
  return root / std::filesystem::path(line.substr(kVersion2.size())).relative_path();
}

void move_this_process_to(const std::filesystem::path& cgroup) {
  std::ofstream processes(cgroup / "cgroup.procs");
  processes << ::getpid() << std::flush;
  must(processes.good(), "enter the cgroup " + cgroup.string());
}

}  // namespace

OwnCgroup::OwnCgroup()
    : outer_(cgroup_of_this_process()),
      path_(outer_ / ("ambbpf-test-" + std::to_string(::getpid()))) {
  std::filesystem::create_directories(path_ / "below");
  enter();
}

OwnCgroup::~OwnCgroup() {
  leave();
  std::error_code kept_busy;
  std::filesystem::remove(path_ / "below", kept_busy);
  std::filesystem::remove(path_, kept_busy);
}

void OwnCgroup::enter(const std::string& below) const { move_this_process_to(path_ / below); }
void OwnCgroup::leave() const { move_this_process_to(outer_); }

}  // namespace ambbpf::test
