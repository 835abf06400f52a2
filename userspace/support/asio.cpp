// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/asio.h"

#include <boost/asio/impl/src.hpp>  // the one place where Asio itself is compiled

namespace ambbpf {

bool is_cancellation(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& why) {
    return why.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

awaitable<void> until_cancelled() {
  asio::steady_timer never(co_await asio::this_coro::executor, Clock::time_point::max());
  co_await never.async_wait(as_tuple);
}

awaitable<void> sleep_for(Clock::duration how_long) {
  asio::steady_timer timer(co_await asio::this_coro::executor, how_long);
  co_await timer.async_wait(as_tuple);
}

}  // namespace ambbpf
