// SPDX-License-Identifier: Apache-2.0
#include "userspace/direct/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <fstream>
#include <sstream>

namespace ambbpf {
namespace {

// proc(5): ID, parent, device, root, mount point, options, optional fields, "-", type
std::optional<std::string> mounted_root() {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, place, word;
    words >> id >> parent >> device >> root >> place;
    while (words >> word && word != "-") continue;
    if (words >> word && word == "cgroup2" && root == "/") return place;
  }
  return std::nullopt;
}

Result<Cgroup> open_directory(const std::string& path) {
  const std::string what = "open the cgroup " + path;
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail_errno(what);
  struct statfs system {};
  if (::fstatfs(directory.get(), &system) != 0) return fail_errno(what);
  if (system.f_type != CGROUP2_SUPER_MAGIC) return fail(what + ": it is not of cgroup v2");
  return Cgroup{std::move(directory), path};
}

Result<Cgroup> mount_root() {
  const std::string what = "mount the cgroup v2 hierarchy";
  const UniqueFd system(::fsopen("cgroup2", FSOPEN_CLOEXEC));
  if (!system) return fail_errno(what);
  if (::fsconfig(system.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return fail_errno(what);
  UniqueFd directory(::fsmount(system.get(), FSMOUNT_CLOEXEC, 0));
  if (!directory) return fail_errno(what);
  return Cgroup{std::move(directory), "a mount of its own"};
}

}  // namespace

Result<Cgroup> open_cgroup(const std::optional<std::filesystem::path>& path) {
  if (path) return open_directory(path->string());
  if (const auto root = mounted_root()) return open_directory(*root);
  return mount_root();
}

}  // namespace ambbpf
