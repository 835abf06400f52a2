// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "userspace/proxy/connect.h"
#include "userspace/support/result.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

// A network namespace that is not this thread's, held open.
class NetworkNamespace {
 public:
  // The one with that cookie (SO_NETNS_COOKIE, Linux 5.14): as a process in /proc has it. It is
  // looked for at `likely` threads first, in case they are known by these numbers here.
  static Result<NetworkNamespace> find(std::uint64_t cookie, std::initializer_list<pid_t> likely);

  // All that processes in /proc have, but the calling thread's own; those that may be opened.
  static std::vector<NetworkNamespace> others();

  // As socket(2), in there.
  Result<UniqueFd> open_socket(int family, int type, int protocol) const;
  // Begins to connect from in there (setns(2)); does not wait.
  Result<Connecting> connect(const tcp::endpoint& address) const;

 private:
  NetworkNamespace(UniqueFd fd, UniqueFd own) : fd_(std::move(fd)), own_(std::move(own)) {}

  UniqueFd fd_;
  UniqueFd own_;  // the way back
};

// Whether this process may find others (CAP_SYS_PTRACE) and enter them (CAP_SYS_ADMIN).
Result<void> check_namespaces_can_be_entered();

}  // namespace ambbpf
