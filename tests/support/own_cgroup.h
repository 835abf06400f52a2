// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

namespace ambbpf::test {

// A cgroup of version 2 with this process in it, below the one that it was in. It has one below
// itself, "below".
class OwnCgroup {
 public:
  OwnCgroup();
  ~OwnCgroup();
  OwnCgroup(const OwnCgroup&) = delete;
  OwnCgroup& operator=(const OwnCgroup&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void enter(const std::string& below = "") const;
  void leave() const;

 private:
  std::filesystem::path outer_;
  std::filesystem::path path_;
};

}  // namespace ambbpf::test
