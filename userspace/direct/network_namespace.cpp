// SPDX-License-Identifier: Apache-2.0
#include "userspace/direct/network_namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>

#include <exception>
#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "userspace/support/capabilities.h"

namespace ambbpf {
namespace {

constexpr auto kOwn = "/proc/thread-self/ns/net";

Result<UniqueFd> open_namespace(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open " + path);
  return fd;
}

// This thread is in there for as long as this lives.
class Inside {
 public:
  Inside(int there, int own) : own_(own), entered_(::setns(there, CLONE_NEWNET) == 0) {}
  ~Inside() {
    // Where this thread would not come back, everything that it does from now on would be wrong.
    if (entered_ && ::setns(own_, CLONE_NEWNET) != 0) std::terminate();
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

  explicit operator bool() const { return entered_; }

 private:
  int own_;
  bool entered_;
};

Result<std::uint64_t> cookie_here() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (!socket || ::getsockopt(socket.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
    return fail_errno("find the cookie of a network namespace");
  return cookie;
}

// Namespaces by the names that the kernel has for them, "net:[4026531840]".
class Seen {
 public:
  // That of a process; none: it was seen before, or may not be opened.
  std::optional<UniqueFd> open_new(const std::filesystem::path& process) {
    std::error_code error;
    const auto name = std::filesystem::read_symlink(process / "ns/net", error);
    if (error || seen_.contains(name.string())) return std::nullopt;
    auto opened = open_namespace(process / "ns/net");
    if (!opened) return std::nullopt;  // the process has just gone, and another may have it as well
    seen_.insert(name.string());
    return std::move(*opened);
  }

 private:
  std::set<std::string> seen_;
};

}  // namespace

Result<NetworkNamespace> NetworkNamespace::find(std::uint64_t cookie,
                                                std::initializer_list<pid_t> likely) {
  auto own = open_namespace(kOwn);
  if (!own) return tl::unexpected(own.error());
  Seen seen;
  const auto open_if_it = [&](const std::filesystem::path& process) -> std::optional<UniqueFd> {
    auto there = seen.open_new(process);
    if (!there) return std::nullopt;
    const Inside inside(there->get(), own->get());
    const bool is_it = inside && cookie_here().value_or(0) == cookie;
    return is_it ? std::move(there) : std::nullopt;
  };
  for (const auto thread : likely)
    if (auto found = open_if_it(fmt::format("/proc/{}", thread)))
      return NetworkNamespace(std::move(*found), std::move(*own));
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error))
    if (auto found = open_if_it(entry.path()))
      return NetworkNamespace(std::move(*found), std::move(*own));
  return fail("no process is seen that is in there");
}

std::vector<NetworkNamespace> NetworkNamespace::others() {
  std::vector<NetworkNamespace> all;
  Seen seen;
  seen.open_new("/proc/thread-self");
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    auto there = seen.open_new(entry.path());
    if (!there) continue;
    if (auto own = open_namespace(kOwn))
      all.push_back(NetworkNamespace(std::move(*there), std::move(*own)));
  }
  return all;
}

Result<UniqueFd> NetworkNamespace::open_socket(int family, int type, int protocol) const {
  const Inside inside(fd_.get(), own_.get());
  if (!inside) return fail_errno("enter a network namespace");
  UniqueFd socket(::socket(family, type, protocol));
  if (!socket) return fail_errno("open a socket in a network namespace");
  return socket;
}

Result<Connecting> NetworkNamespace::connect(const tcp::endpoint& address) const {
  const Inside inside(fd_.get(), own_.get());
  if (!inside) return fail_errno("enter a network namespace");
  return begin_connect(address, FirstBytes::kUnknown, kNoDescriptorLimit);
}

Result<void> check_namespaces_can_be_entered() {
  const auto own = open_namespace(kOwn);
  if (!own) return tl::unexpected(own.error());
  if (::setns(own->get(), CLONE_NEWNET) != 0) return fail_errno("enter a network namespace");
  const auto cookie = cookie_here();
  if (!cookie) return tl::unexpected(cookie.error());
  // Where another user's process is cannot be read without it: proc(5).
  if (!may_look_into_processes())
    return fail("find the network namespaces of other users' processes: it lacks CAP_SYS_PTRACE");
  return {};
}

}  // namespace ambbpf
