// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/ignored_signals.h"

#include "userspace/support/log.h"

namespace ambbpf {

IgnoredSignals::IgnoredSignals(asio::io_context& io) : signals_(io, SIGHUP, SIGUSR1, SIGUSR2) {
  spawn(io, tell(*this));
}

awaitable<void> IgnoredSignals::tell(IgnoredSignals& self) {
  for (;;) {
    const auto [error, number] = co_await self.signals_.async_wait(as_tuple);
    if (error) co_return;
    if (number == SIGHUP)
      log::info("SIGHUP is ignored: there is nothing to reload yet (SIGTERM stops this process)");
    else
      log::info("{} is ignored: it means nothing here", number == SIGUSR1 ? "SIGUSR1" : "SIGUSR2");
  }
}

}  // namespace ambbpf
