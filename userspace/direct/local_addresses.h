// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <set>

#include "userspace/support/asio.h"
#include "userspace/support/result.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

// The addresses of this host in this network namespace, which come and go (rtnetlink(7)).
class LocalAddresses {
 public:
  using Set = std::set<asio::ip::address>;

  static Result<LocalAddresses> open();

  int change_fd() const { return socket_.get(); }  // readable when they may have changed
  // Reads what has made change_fd() readable, and lists them anew.
  Result<Set> list();

 private:
  explicit LocalAddresses(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
};

}  // namespace ambbpf
