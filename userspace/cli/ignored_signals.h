// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/signal_set.hpp>

#include "userspace/support/asio.h"

namespace ambbpf {

// SIGHUP, SIGUSR1 and SIGUSR2, which would end the process: a line in the log is all that they do,
// as long as the io_context runs. It outlives *this.
class IgnoredSignals {
 public:
  explicit IgnoredSignals(asio::io_context& io);

 private:
  static awaitable<void> tell(IgnoredSignals& self);

  asio::signal_set signals_;
};

}  // namespace ambbpf
