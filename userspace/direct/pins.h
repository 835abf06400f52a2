// SPDX-License-Identifier: Apache-2.0
// What keeps the kernel programs when their process is gone: their names in the BPF file system.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bpf/direct_connect.h"
#include "userspace/support/result.h"

namespace ambbpf {

// A directory of this process below /sys/fs/bpf/ambbpf. Gone with *this, and not with a process
// that is killed.
class Pins {
 public:
  // Mounts the file system if there is none yet.
  static Result<Pins> create();
  Pins(Pins&& other) noexcept : directory_(std::exchange(other.directory_, {})) {}
  Pins& operator=(Pins&&) = delete;
  ~Pins();

  // Pins a link, a map or a program.
  Result<void> add(int fd, const std::string& name) const;

  const std::filesystem::path& directory() const { return directory_; }

 private:
  explicit Pins(std::filesystem::path directory) : directory_(std::move(directory)) {}

  std::filesystem::path directory_;  // empty: moved from
};

// The names of what is pinned, beside the links.
inline constexpr auto kPinnedControl = "control";
inline constexpr auto kPinnedListeners = "listeners";
// Of this layout: another one has another name.
inline constexpr auto kPinnedDialled = "dialled_2";

// What an ambassador has pinned, that may be alive or not.
struct Pinned {
  std::filesystem::path directory;
  std::optional<direct_control> control;  // none: it is being made, was never whole, or is not ours
  std::chrono::nanoseconds silent{};      // since its last heartbeat
  std::vector<direct_listener> listeners;

  bool is_alive() const;
  bool is_of_use() const;  // the programs still serve consumers
};

// All that is there; none also where it may not be read.
std::vector<Pinned> list_pinned();

// The programs are gone with it, if their process is.
Result<void> remove_pins(const std::filesystem::path& directory);

}  // namespace ambbpf
