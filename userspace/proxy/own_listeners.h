// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "userspace/support/asio.h"

namespace ambbpf {

// Where this process listens: a backend there would be connected to itself, without end.
class OwnListeners {
 public:
  void add(const tcp::endpoint& listener);

  // "127.0.0.1:80 is where this process listens"; empty: a connection to `address` does not arrive
  // here, as far as the host's addresses say.
  std::string objection_to(const tcp::endpoint& address) const;

 private:
  bool hear(const tcp::endpoint& address) const;

  std::vector<tcp::endpoint> listeners_;
};

}  // namespace ambbpf
