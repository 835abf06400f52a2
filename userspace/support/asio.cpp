// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/asio.h"

#include <boost/asio/impl/src.hpp>  // the one place where Asio itself is compiled

namespace ambbpf {

awaitable<void> sleep_for(Clock::duration how_long) {
  asio::steady_timer timer(co_await asio::this_coro::executor, how_long);
  co_await timer.async_wait(as_tuple);
}

}  // namespace ambbpf
