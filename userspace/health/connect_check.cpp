// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/write.hpp>
#include <limits>

#include "userspace/health/check.h"
#include "userspace/proxy/connect.h"
#include "userspace/support/close_socket.h"
#include "userspace/support/quote.h"

namespace ambbpf {

using namespace asio::experimental::awaitable_operators;  // a || b: the first one ends the other

namespace {

// Ends with a reset, which leaves nothing behind on either side, as HAProxy's checks do; but what
// was sent has to arrive: the server reads it to its end.
void end_check(UniqueFd socket, bool has_sent) {
  if (!has_sent) close_with_reset(std::move(socket));
}

awaitable<Result<void>> send_first(tcp::socket& socket, asio::steady_timer& deadline,
                                   const CheckSettings& settings, const std::string& bytes) {
  if (bytes.empty()) co_return Result<void>();
  const auto sent = co_await (asio::async_write(socket, asio::buffer(bytes), as_tuple) ||
                              deadline.async_wait(as_tuple));
  if (sent.index() == 1) co_return check_timed_out(settings);
  if (const auto error = std::get<0>(std::get<0>(sent))) co_return fail("send", error);
  co_return Result<void>();
}

awaitable<Result<void>> read_expected(tcp::socket& socket, asio::steady_timer& deadline,
                                      const CheckSettings& settings) {
  const auto lacking = [&settings](std::string_view what) {
    return fail(fmt::format("{} without {}", what, ambbpf::quoted(settings.expect)));
  };
  std::string answer;
  std::array<char, 4096> buffer{};
  while (answer.find(settings.expect) == std::string::npos) {
    if (answer.size() >= kMostLookedAt)
      co_return lacking(fmt::format("an answer of {} bytes", answer.size()));
    const auto read = co_await (socket.async_read_some(asio::buffer(buffer), as_tuple) ||
                                deadline.async_wait(as_tuple));
    if (read.index() == 1) co_return check_timed_out(settings);
    const auto [error, size] = std::get<0>(read);
    if (error == asio::error::eof) co_return lacking("the answer ended");
    if (error) co_return fail("read", error);
    answer.append(buffer.data(), size);
  }
  co_return Result<void>();
}

awaitable<Result<void>> exchange(UniqueFd& connected, const CheckSettings& settings,
                                 const std::string& first, const tcp::endpoint& address,
                                 Clock::time_point until) {
  const auto executor = co_await asio::this_coro::executor;
  tcp::socket socket(executor);
  boost::system::error_code error;
  socket.assign(address.protocol(), connected.get(), error);
  if (error) co_return fail("connect", error);
  (void)connected.release();
  asio::steady_timer deadline(executor, until);
  auto done = co_await send_first(socket, deadline, settings, first);
  if (done && settings.kind == CheckKind::kExpect)
    done = co_await read_expected(socket, deadline, settings);
  connected = UniqueFd(socket.release(error));
  co_return done;
}

}  // namespace

awaitable<Result<void>> check_by_connect(std::shared_ptr<const Check> check,
                                         tcp::endpoint address) {
  const auto& settings = check->settings;
  const auto until = Clock::now() + settings.timeout;
  auto connecting = begin_connect(address, FirstBytes::kUnknown, std::numeric_limits<int>::max());
  auto connected = co_await finish_connect(std::move(connecting), settings.timeout);
  if (!connected && connected.error().code == std::errc::timed_out)
    co_return check_timed_out(settings);
  if (!connected) co_return tl::unexpected(connected.error());
  auto first = write_proxy_header(check->header, {});
  const bool has_sent_header = !first.empty();
  if (settings.kind == CheckKind::kExpect) first += settings.send;
  Result<void> done;
  if (has_sent_header || settings.kind == CheckKind::kExpect)
    done = co_await exchange(*connected, settings, first, address, until);
  end_check(std::move(*connected), settings.kind == CheckKind::kTcp && has_sent_header);
  co_return done;
}

}  // namespace ambbpf
