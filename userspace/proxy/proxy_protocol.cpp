// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/proxy_protocol.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "userspace/endpoints/endpoint.h"

namespace ambbpf {

using namespace asio::experimental::awaitable_operators;  // a || b: the first one ends the other

namespace {

using Descriptor = asio::posix::stream_descriptor;
using Outcome = ProxyHeaderRead::Outcome;

constexpr int kAnyByte = 1;

// The socket is readable once so many bytes wait, or no more will come (socket(7), SO_RCVLOWAT).
void wake_at(int socket, std::size_t bytes) {
  const int least = static_cast<int>(bytes);
  ::setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
}

std::string_view peek(int socket, std::string& into) {
  const auto got = ::recv(socket, into.data(), into.size(), MSG_PEEK | MSG_DONTWAIT);
  return {into.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

bool has_ended(int socket) {
  pollfd asked{.fd = socket, .events = POLLRDHUP, .revents = 0};
  return ::poll(&asked, 1, 0) != 0;
}

// A header that waits whole in the receive queue.
ProxyHeaderRead take(int socket, ProxyParse parsed, std::string& into) {
  const auto got = ::recv(socket, into.data(), parsed.size, MSG_DONTWAIT);
  if (got != static_cast<ssize_t>(parsed.size))
    return {.outcome = Outcome::kMissing, .why = "the connection was reset behind it"};
  return {.outcome = Outcome::kHeader, .header = std::move(parsed.header), .size = parsed.size};
}

ProxyHeaderRead without_whole_header(std::size_t seen, bool late) {
  if (seen == 0) return {.outcome = Outcome::kNone};
  return {
      .outcome = Outcome::kMissing,
      .why = fmt::format("{} after {} bytes", late ? "nothing more has come" : "it ends", seen)};
}

}  // namespace

awaitable<ProxyHeaderRead> read_proxy_header(Descriptor& client) {
  asio::steady_timer deadline(client.get_executor(), kProxyHeaderTimeout);
  std::string bytes(kLongestProxyHeader, '\0');
  for (std::size_t seen = 0;;) {
    const auto first = co_await (client.async_wait(Descriptor::wait_read, as_tuple) ||
                                 deadline.async_wait(as_tuple));
    const bool late = first.index() == 1;
    if (!client.is_open()) co_return without_whole_header(seen, false);
    const auto waiting = peek(client.native_handle(), bytes);
    auto parsed = parse_proxy_header(waiting);
    using Found = ProxyParse::Found;
    // Asio may wake us for what has been seen already.
    const bool goes_on = waiting.size() > seen || !has_ended(client.native_handle());
    if (parsed.found == Found::kBeginning && !late && goes_on) {
      seen = waiting.size();
      wake_at(client.native_handle(), parsed.size);
      continue;
    }
    wake_at(client.native_handle(), kAnyByte);
    switch (parsed.found) {
      case Found::kHeader:
        co_return take(client.native_handle(), std::move(parsed), bytes);
      case Found::kBeginning:
        co_return without_whole_header(waiting.size(), late);
      case Found::kNoHeader:
        co_return ProxyHeaderRead{.outcome = Outcome::kNone};
      case Found::kMalformed:
        co_return ProxyHeaderRead{.outcome = Outcome::kMalformed, .why = std::string(parsed.why)};
    }
  }
}

ProxyHeader::Addresses addresses_of(int client, const tcp::endpoint& peer) {
  tcp::endpoint own;
  auto size = static_cast<socklen_t>(own.capacity());
  if (::getsockname(client, own.data(), &size) != 0) own = {};
  return {peer, own};
}

}  // namespace ambbpf
