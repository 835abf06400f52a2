// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/signal_set.hpp>
#include <functional>

#include "userspace/support/asio.h"

namespace ambbpf {

// What signals mean to a process that serves until it is told to stop, as long as the io_context
// runs. It outlives *this.
class Signals {
 public:
  // SIGHUP calls `reload`. Where that is empty, SIGHUP is ignored like SIGUSR1 and SIGUSR2, which
  // would end the process otherwise: with a line in the log.
  Signals(asio::io_context& io, std::function<void()> reload);

  // The next SIGTERM or SIGINT.
  awaitable<void> told_to_stop();

 private:
  static awaitable<void> hear_others(Signals& self);

  const std::function<void()> reload_;
  asio::signal_set stop_;
  asio::signal_set others_;
};

}  // namespace ambbpf
