// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <utility>

#include "userspace/support/result.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

// Who is behind a path, found out by connecting to it.
enum class Answer {
  kNothing,   // no such file
  kNoSocket,  // a file of another kind; not connected to
  kNobody,    // a socket that a process left behind
  kSomebody,  // a process listens
};

// Fails where that cannot be told: no permission, a socket of another type.
Result<Answer> who_answers(const std::filesystem::path& path);

// The name of a socket in the file system; removed at the end, if it still is the same file.
class SocketFile {
 public:
  SocketFile(std::filesystem::path path, dev_t device, ino_t inode)
      : path_(std::move(path)), device_(device), inode_(inode) {}
  SocketFile(SocketFile&& other) noexcept
      : path_(std::move(other.path_)),
        device_(other.device_),
        inode_(std::exchange(other.inode_, 0)) {}
  SocketFile& operator=(SocketFile&&) = delete;
  ~SocketFile();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  dev_t device_;
  ino_t inode_;  // 0: no longer ours to remove
};

struct ListeningSocket {
  UniqueFd fd;  // non-blocking
  SocketFile file;
};

// As AdminServer::open() says.
Result<ListeningSocket> listen_at(const std::filesystem::path& path);

}  // namespace ambbpf
