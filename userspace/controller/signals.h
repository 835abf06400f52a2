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
  // SIGHUP calls `reload`; where that is empty, it is ignored. SIGUSR1 calls `reopen_files`, which
  // says whether there was any. What is ignored, as SIGUSR2 always, would end the process
  // otherwise: it costs a line in the log.
  Signals(asio::io_context& io, std::function<void()> reload, std::function<bool()> reopen_files);

  // The next SIGTERM or SIGINT.
  awaitable<void> told_to_stop();

 private:
  static awaitable<void> hear_others(Signals& self);

  const std::function<void()> reload_;
  const std::function<bool()> reopen_files_;
  asio::signal_set stop_;
  asio::signal_set others_;
};

}  // namespace ambbpf
