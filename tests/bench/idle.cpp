// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <stdexcept>
#include <vector>

#include "tests/bench/protocol.h"
#include "tests/bench/work.h"

namespace ambbpf::bench {

void hold_idle(const sockaddr_in& to, int connections) {
  std::vector<UniqueFd> held;
  for (int i = 0; i < connections; ++i) {
    held.push_back(connect_to(to));
    send_all(held.back().get(), echo_greeting(1) + 'x');
    char answer = 0;
    read_exactly(held.back().get(), {&answer, 1});
    if (answer != 'x') throw std::runtime_error("another byte came back");
  }
  Report report;
  std::fputs(report.add("connections", connections).line().c_str(), stdout);
  std::fflush(stdout);
  char ignored = 0;
  while (::read(STDIN_FILENO, &ignored, 1) > 0) {
  }
}

}  // namespace ambbpf::bench
