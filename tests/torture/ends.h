// SPDX-License-Identifier: Apache-2.0
// The two sides of a run: each is one thread that plays its ends of all connections.
#pragma once

#include <atomic>
#include <vector>

#include "tests/torture/book.h"
#include "userspace/support/asio.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf::torture {

struct Listening {
  tcp::endpoint address;
  UniqueFd socket;
};

// Throws std::system_error. Port 0 is any free one.
Listening listen_at(const tcp::endpoint& address);

// Plays all clients, `concurrent` at a time, each with a source address that few others share.
void run_clients(Book& book, const tcp::endpoint& proxy, std::size_t concurrent);

// Plays the backends until `no_more` is set and none is left.
void run_backends(Book& book, std::vector<Listening> listening, const std::atomic<bool>& no_more);

}  // namespace ambbpf::torture
