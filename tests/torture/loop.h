// SPDX-License-Identifier: Apache-2.0
// The peers of one thread: epoll, and the times at which they go on by themselves.
#pragma once

#include <memory>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/torture/peer.h"

namespace ambbpf::torture {

class Loop {
 public:
  explicit Loop(Book& book);

  // Each connection to the socket is a backend's.
  void accept_from(UniqueFd listener);
  void add(std::unique_ptr<Peer> peer);
  std::size_t peers() const { return peers_.size(); }

  // Waits until something is to be done, for 50 ms at most, and does it.
  void turn();

 private:
  struct Entry {
    std::unique_ptr<Peer> peer;
    Clock::time_point wake = Clock::time_point::max();
  };

  void accept_all();
  void go(Peer& peer);
  void serve_wakes();
  void look_for_the_stuck();
  Clock::duration pause() const;

  Book& book_;
  UniqueFd epoll_;
  std::vector<UniqueFd> listeners_;
  std::unordered_map<Peer*, Entry> peers_;
  std::set<std::pair<Clock::time_point, Peer*>> wakes_;
  std::vector<std::byte> scratch_;
  Clock::time_point looked_at_{};
};

}  // namespace ambbpf::torture
