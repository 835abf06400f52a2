// SPDX-License-Identifier: Apache-2.0
// Our few words of Asio. Everything else includes this and not boost/asio itself.
//
// Two lifetime laws for coroutines (g++ 12 and Asio make the rest a use-after-free or a double
// free):
//   1. What a coroutine needs is a by-value parameter, or a reference to an object of main's.
//   2. No braced aggregate temporary and no capturing lambda inside a co_await expression:
//      name the object first, then std::move it.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
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

// Starts a coroutine that owns itself. An exception that escapes it is a bug and terminates,
// where asio::detached would hide it.
template <class Executor>
void spawn(Executor&& executor, awaitable<void> work) {
  asio::co_spawn(std::forward<Executor>(executor), std::move(work),
                 [](const std::exception_ptr& bug) {
                   if (bug) std::terminate();
                 });
}

// Sleeps on the caller's executor; returns early only when the coroutine is cancelled.
awaitable<void> sleep_for(Clock::duration how_long);

}  // namespace ambbpf
