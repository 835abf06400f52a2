// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <unordered_map>

#include "userspace/support/asio.h"

namespace ambbpf {

// Where this process listens: a backend there would be connected to itself, without end.
class OwnListeners {
 public:
  void add(const tcp::endpoint& listener);
  void remove(const tcp::endpoint& listener);  // that has been added

  // "127.0.0.1:80 is where this process listens"; empty: a connection to `address` does not arrive
  // here, as far as the host's addresses say. Cheap, unless a listener has the same port.
  std::string objection_to(const tcp::endpoint& address) const;

 private:
  bool hear(const tcp::endpoint& address) const;

  std::unordered_multimap<unsigned short, asio::ip::address> listeners_;  // by port
};

}  // namespace ambbpf
