// SPDX-License-Identifier: Apache-2.0
#include "userspace/direct/pins.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "userspace/direct/programs.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

namespace {

constexpr auto kFileSystem = "/sys/fs/bpf";
constexpr auto kAll = "/sys/fs/bpf/ambbpf";

Result<void> mount_if_need_be() {
  const auto what = std::string("mount the BPF file system at ") + kFileSystem;
  struct statfs system {};
  if (::statfs(kFileSystem, &system) != 0) return fail_errno(what);
  if (system.f_type == BPF_FS_MAGIC) return {};
  if (::mount("bpf", kFileSystem, "bpf", 0, "mode=0700") != 0) return fail_errno(what);
  return {};
}

Result<void> make_directory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directory(path, error);
  if (error) return fail("make the directory " + path.string(), error);
  return {};
}

struct OpenMap {
  UniqueFd fd;
  std::uint32_t value_size = 0;
};

// Nothing: it is not there, may not be read, or is something else.
std::optional<OpenMap> open_map(const std::filesystem::path& path, std::uint32_t key_size) {
  UniqueFd map(::bpf_obj_get(path.c_str()));
  bpf_map_info info{};
  __u32 size = sizeof info;
  if (!map || ::bpf_obj_get_info_by_fd(map.get(), &info, &size) != 0 || info.key_size != key_size)
    return std::nullopt;
  return OpenMap{std::move(map), info.value_size};
}

std::optional<direct_control> read_control(const std::filesystem::path& path) {
  const auto map = open_map(path, sizeof(std::uint32_t));
  direct_control control{};
  const std::uint32_t first = 0;
  if (!map || map->value_size < sizeof control) return std::nullopt;
  std::vector<char> value(map->value_size);
  if (::bpf_map_lookup_elem(map->fd.get(), &first, value.data()) != 0) return std::nullopt;
  std::copy_n(value.data(), sizeof control, reinterpret_cast<char*>(&control));
  return control;
}

std::vector<direct_listener> read_listeners(const std::filesystem::path& path) {
  std::vector<direct_listener> all;
  const auto map = open_map(path, sizeof(direct_listener));
  direct_listener next{};
  for (const direct_listener* last = nullptr;
       map && ::bpf_map_get_next_key(map->fd.get(), last, &next) == 0; last = &all.back())
    all.push_back(next);
  return all;
}

}  // namespace

Result<Pins> Pins::create() {
  if (auto mounted = mount_if_need_be(); !mounted) return tl::unexpected(mounted.error());
  if (auto made = make_directory(kAll); !made) return tl::unexpected(made.error());
  // Not seen before: a process id may be that of another pid namespace.
  auto own = std::filesystem::path(kAll) / fmt::format("{}-{}", ::getpid(), direct_now());
  if (auto made = make_directory(own); !made) return tl::unexpected(made.error());
  return Pins(std::move(own));
}

Pins::~Pins() {
  if (!directory_.empty()) static_cast<void>(remove_pins(directory_));
}

Result<void> Pins::add(int fd, const std::string& name) const {
  const auto path = directory_ / name;
  if (::bpf_obj_pin(fd, path.c_str()) != 0) return fail_errno("pin " + path.string());
  return {};
}

bool Pinned::is_alive() const { return control && silent < kDirectSilentAfter; }

bool Pinned::is_of_use() const {
  return control && silent.count() <= static_cast<std::int64_t>(control->longest_silence);
}

std::vector<Pinned> list_pinned() {
  std::vector<Pinned> all;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kAll, error)) {
    Pinned pinned{.directory = entry.path(),
                  .control = read_control(entry.path() / kPinnedControl),
                  .silent = {},
                  .listeners = read_listeners(entry.path() / kPinnedListeners)};
    const auto now = direct_now();
    if (pinned.control)
      pinned.silent =
          std::chrono::nanoseconds(now - std::min<std::uint64_t>(now, pinned.control->heartbeat));
    all.push_back(std::move(pinned));
  }
  return all;
}

Result<void> remove_pins(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  if (error) return fail("remove " + directory.string(), error);
  return {};
}

}  // namespace ambbpf
