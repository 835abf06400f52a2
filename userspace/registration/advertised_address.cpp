// SPDX-License-Identifier: Apache-2.0
#include "userspace/registration/advertised_address.h"

#include <fmt/format.h>

#include <boost/asio/ip/udp.hpp>
#include <optional>

namespace ambbpf {
namespace {

// Connecting a UDP socket sends nothing: the kernel picks the route, and with it our address.
Result<asio::ip::address> address_towards(const asio::any_io_executor& executor,
                                          const asio::ip::address& remote) {
  asio::ip::udp::socket socket(executor);
  boost::system::error_code error;
  constexpr unsigned short kAnyPort = 9;
  socket.connect({remote, kAnyPort}, error);
  if (error) return fail(fmt::format("route to {}: {}", remote.to_string(), error.message()));
  return socket.local_endpoint().address();
}

std::string host_of(const std::string& url) {
  auto host = url.substr(url.find("://") + 3);
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

awaitable<Result<asio::ip::address>> resolve(std::string host) {
  boost::system::error_code not_literal;
  const auto literal = asio::ip::make_address(host, not_literal);
  if (!not_literal) co_return literal;
  tcp::resolver resolver(co_await asio::this_coro::executor);
  const auto [error, answers] = co_await resolver.async_resolve(host, "", as_tuple);
  if (error) co_return fail(fmt::format("resolve {}: {}", host, error.message()));
  co_return answers.begin()->endpoint().address();
}

}  // namespace

awaitable<Result<AdvertisedAddress>> find_advertised_address(std::vector<std::string> urls) {
  const auto executor = co_await asio::this_coro::executor;
  std::optional<AdvertisedAddress> own;  // of an etcd on this machine
  std::string errors;
  for (const auto& url : urls) {
    const auto remote = co_await resolve(host_of(url));
    const auto local = remote ? address_towards(executor, *remote) : remote;
    if (!local) {
      errors += (errors.empty() ? "" : "; ") + local.error().message();
      continue;
    }
    AdvertisedAddress found{*local, "it routes to etcd at " + url};
    if (*local != *remote && !local->is_loopback()) co_return found;
    if (!own) own = std::move(found);
  }
  if (!own) co_return fail(errors);
  // Any address beyond this network will do; this one is for documentation (RFC 5737).
  const auto beyond = address_towards(executor, asio::ip::make_address("192.0.2.1"));
  if (!beyond || beyond->is_loopback()) co_return *own;
  AdvertisedAddress found{*beyond, "etcd is on this machine, and the default route has it"};
  co_return found;
}

}  // namespace ambbpf
