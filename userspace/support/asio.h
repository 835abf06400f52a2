// SPDX-License-Identifier: Apache-2.0
// Our few words of Asio. Everything else includes this and not boost/asio itself.
//
// Two lifetime laws for coroutines (g++ 12 and Asio make the rest a use-after-free or a double
// free):
//   1. What a coroutine needs is a by-value parameter, or a reference to an object of main's.
//   2. No braced aggregate temporary and no capturing lambda inside a co_await expression:
//      name the object first, then std::move it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <utility>

namespace ambbpf {

namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

// `auto [error, value] = co_await socket.async_x(…, as_tuple);` : errors are values.
// NOLINTNEXTLINE(readability-identifier-naming): stands where Asio's own tokens stand
inline constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);

// A coroutine was cancelled and ends by this.
bool is_cancellation(const std::exception_ptr& error);

// Starts a coroutine that owns itself. An exception that escapes it is a bug and terminates,
// where asio::detached would hide it.
template <class Executor>
void spawn(Executor&& executor, awaitable<void> work) {
  asio::co_spawn(std::forward<Executor>(executor), std::move(work),
                 [](const std::exception_ptr& bug) {
                   if (bug) std::terminate();
                 });
}

// The same for a coroutine that `stop` can end, where it waits for something; `ended` is called
// when it has ended, also by itself. The handler names its executor so that `stop` waits for its
// turn there: else Boost 1.83 stops what has not begun at once, and throws that out of the loop.
template <class Ended>
void spawn_stoppable(const asio::any_io_executor& executor, awaitable<void> work,
                     asio::cancellation_slot stop, Ended ended) {
  auto at_end = [ended = std::move(ended)](const std::exception_ptr& error) mutable {
    if (error && !is_cancellation(error)) std::terminate();
    ended();
  };
  auto stoppable = asio::bind_cancellation_slot(stop, std::move(at_end));
  asio::co_spawn(executor, std::move(work), asio::bind_executor(executor, std::move(stoppable)));
}

// Returns when the caller is cancelled, and never else.
awaitable<void> until_cancelled();

// Sleeps on the caller's executor; returns early only when the coroutine is cancelled.
awaitable<void> sleep_for(Clock::duration how_long);

}  // namespace ambbpf
