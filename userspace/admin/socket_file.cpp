// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/socket_file.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>

namespace ambbpf {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kSocketMode = 0660;
constexpr std::size_t kLongestPath = sizeof(sockaddr_un::sun_path) - 1;

std::string about(const fs::path& path) { return "admin socket " + path.native(); }

Result<sockaddr_un> address_of(const fs::path& path) {
  const auto& name = path.native();
  if (name.empty()) return fail("admin socket: an empty path");
  if (name.size() > kLongestPath)
    return fail(fmt::format("{}: the path has {} bytes, a socket's can have {}", about(path),
                            name.size(), kLongestPath));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(name.begin(), name.end(), address.sun_path);
  return address;
}

UniqueFd new_socket() {
  return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

Result<void> find_directory_of(const fs::path& path) {
  const auto directory = path.parent_path();
  struct stat there {};
  if (directory.empty() || ::stat(directory.c_str(), &there) == 0) return {};
  return fail_errno(fmt::format("{}: its directory {}", about(path), directory.native()));
}

bool is_not_allowed(const std::error_code& code) {
  return code.value() == EACCES || code.value() == EPERM;
}

// Another user's leftover, or a live socket that we may not connect to.
tl::unexpected<Error> not_ours(const fs::path& path, const std::error_code& code) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0 || there.st_uid == ::geteuid())
    return fail(about(path) + ": not allowed", code);
  return fail(fmt::format("{}: belongs to another user (uid {})", about(path), there.st_uid), code);
}

Result<void> clear(const fs::path& path) {
  const auto answer = who_answers(path);
  if (!answer) {
    if (is_not_allowed(answer.error().code)) return not_ours(path, answer.error().code);
    return tl::unexpected(answer.error());
  }
  if (*answer == Answer::kNoSocket)
    return fail(about(path) + ": there is a file that is no socket");
  if (*answer == Answer::kSomebody) return fail(about(path) + ": a running process answers there");
  if (*answer == Answer::kNothing || ::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  const std::error_code code(errno, std::system_category());
  if (is_not_allowed(code)) return not_ours(path, code);
  return fail(about(path) + ": remove the leftover", code);
}

}  // namespace

Result<Answer> who_answers(const fs::path& path) {
  const auto address = address_of(path);
  if (!address) return tl::unexpected(address.error());
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0) {
    if (errno == ENOENT) return Answer::kNothing;
    return fail_errno(about(path));
  }
  if (!S_ISSOCK(there.st_mode)) return Answer::kNoSocket;
  const auto probe = new_socket();
  if (!probe) return fail_errno(about(path) + ": socket");
  if (::connect(probe.get(), generic(*address), sizeof *address) == 0) return Answer::kSomebody;
  switch (errno) {
    case EAGAIN:  // its backlog is full
      return Answer::kSomebody;
    case ECONNREFUSED:
      return Answer::kNobody;
    case ENOENT:
      return Answer::kNothing;
    default:
      return fail_errno(about(path) + ": connect");
  }
}

SocketFile::~SocketFile() {
  struct stat there {};
  if (inode_ == 0 || ::lstat(path_.c_str(), &there) != 0) return;
  if (there.st_dev == device_ && there.st_ino == inode_) ::unlink(path_.c_str());
}

Result<ListeningSocket> listen_at(const fs::path& path) {
  const auto address = address_of(path);
  if (!address) return tl::unexpected(address.error());
  if (const auto found = find_directory_of(path); !found) return tl::unexpected(found.error());
  if (const auto cleared = clear(path); !cleared) return tl::unexpected(cleared.error());

  UniqueFd fd = new_socket();
  if (!fd) return fail_errno(about(path) + ": socket");
  if (::bind(fd.get(), generic(*address), sizeof *address) != 0)
    return fail_errno(about(path) + ": bind");
  struct stat made {};
  if (::lstat(path.c_str(), &made) != 0) return fail_errno(about(path));
  SocketFile file(path, made.st_dev, made.st_ino);
  // Nobody can connect before listen(), so the mode that the umask gave was never of use to anyone.
  if (::chmod(path.c_str(), kSocketMode) != 0) return fail_errno(about(path) + ": set its mode");
  if (::listen(fd.get(), SOMAXCONN) != 0) return fail_errno(about(path) + ": listen");
  return ListeningSocket{std::move(fd), std::move(file)};
}

}  // namespace ambbpf
