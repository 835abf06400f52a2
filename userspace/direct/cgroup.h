// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "userspace/support/result.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

// A directory of the cgroup v2 hierarchy. Programs that are attached to it see the processes below.
struct Cgroup {
  UniqueFd directory;
  std::string name;      // for people: "/sys/fs/cgroup/unified"
  bool is_part = false;  // not asked for, and yet not of the whole host
};

// `path`, or where none is given the root of the hierarchy: wherever it is mounted, also on hosts
// that have v1 beside it, and where it is not, by a mount that nobody else sees (fsmount(2), Linux
// 5.2). In a cgroup namespace that may be the namespace's root (cgroup_namespaces(7)).
Result<Cgroup> open_cgroup(const std::optional<std::filesystem::path>& path);

// Its id for kernel programs: the inode number of its directory (kernfs, Linux 5.5).
Result<std::uint64_t> cgroup_id(const std::filesystem::path& path);

}  // namespace ambbpf
