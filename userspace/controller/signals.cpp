// SPDX-License-Identifier: Apache-2.0
#include "userspace/controller/signals.h"

#include "userspace/support/log.h"

namespace ambbpf {

Signals::Signals(asio::io_context& io, std::function<void()> reload,
                 std::function<bool()> reopen_files)
    : reload_(std::move(reload)),
      reopen_files_(std::move(reopen_files)),
      stop_(io, SIGTERM, SIGINT),
      others_(io, SIGHUP, SIGUSR1, SIGUSR2) {
  spawn(io, hear_others(*this));
}

awaitable<void> Signals::told_to_stop() { co_await stop_.async_wait(as_tuple); }

awaitable<void> Signals::hear_others(Signals& self) {
  for (;;) {
    const auto [error, number] = co_await self.others_.async_wait(as_tuple);
    if (error) co_return;
    if (number == SIGHUP && self.reload_)
      self.reload_();
    else if (number == SIGHUP)
      log::info("SIGHUP is ignored: there is no configuration file to read (SIGTERM stops)");
    else if (number == SIGUSR1 && !self.reopen_files_())
      log::info("SIGUSR1 is ignored: there is no access log in a file");
    else if (number == SIGUSR2)
      log::info("SIGUSR2 is ignored: it means nothing here");
  }
}

}  // namespace ambbpf
