// SPDX-License-Identifier: Apache-2.0
#include "userspace/direct/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <vector>

namespace ambbpf {
namespace {

// Where the hierarchy is mounted from its root on, or from above the root of our cgroup namespace
// ("/../..", as a directory of the host in a container). proc(5): ID, parent, device, root, mount
// point, options, optional fields, "-", type
std::vector<std::string> mounted_roots() {
  std::vector<std::string> places;
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, place, word;
    words >> id >> parent >> device >> root >> place;
    while (words >> word && word != "-") continue;
    if (words >> word && word == "cgroup2" && (root == "/" || root.starts_with("/..")))
      places.push_back(place);
  }
  return places;
}

// The root of all has no type; that of a cgroup namespace has one (cgroups(7)).
bool is_part(const Cgroup& cgroup) {
  return ::faccessat(cgroup.directory.get(), "cgroup.type", F_OK, 0) == 0;
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

Result<std::uint64_t> cgroup_id(const std::filesystem::path& path) {
  auto opened = open_directory(path.string());
  if (!opened) return tl::unexpected(opened.error());
  struct stat about {};
  if (::fstat(opened->directory.get(), &about) != 0)
    return fail_errno("look at the cgroup " + path.string());
  return about.st_ino;
}

Result<Cgroup> open_cgroup(const std::optional<std::filesystem::path>& path) {
  if (path) return open_directory(path->string());
  std::optional<Result<Cgroup>> first;
  for (const auto& root : mounted_roots()) {
    auto opened = open_directory(root);
    if (opened && !is_part(*opened)) return opened;
    if (!first) first = std::move(opened);
  }
  if (!first) first = mount_root();
  if (*first) (*first)->is_part = is_part(**first);
  return std::move(*first);
}

}  // namespace ambbpf
