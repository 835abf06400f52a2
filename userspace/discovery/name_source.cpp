// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/name_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/support/log.h"

namespace ambbpf {
namespace {

// What may stand in a host name or an address (RFC 1123, RFC 4291, RFC 4007 for the zone).
bool may_stand_in_host(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
         c == '-' || c == '_' || c == '%';
}

}  // namespace

NameSource::NameSource(asio::io_context& io, std::string host, unsigned short port, Pace pace)
    : resolver_(io), pause_(io), host_(std::move(host)), port_(port), pace_(pace) {
  status_.kind = "name";
  status_.from = to_string(HostAndPort{host_, port_});
}

awaitable<void> NameSource::run(Publish publish) {
  for (;;) {
    const auto pause = co_await resolve(publish);
    pause_.expires_at(asked_at_ + pause);
    co_await pause_.async_wait(as_tuple);
    // doubt() cuts the pause short: still not more often than agreed.
    while (Clock::now() < asked_at_ + pace_.least) {
      pause_.expires_at(asked_at_ + pace_.least);
      co_await pause_.async_wait(as_tuple);
    }
  }
}

awaitable<Clock::duration> NameSource::resolve(const Publish& publish) {
  asked_at_ = Clock::now();
  const auto [error, answers] =
      co_await resolver_.async_resolve(host_, std::to_string(port_), as_tuple);
  const auto now = Clock::now();
  if (error) {
    ++status_.failures;
    status_.failed_at = now;
    status_.last_error = fmt::format("resolve {}: {}", host_, error.message());
    if (status_.state != SourceStatus::State::kFailing) log::warn("{}", status_.last_error);
    status_.state = SourceStatus::State::kFailing;
    co_return backoff_.next();
  }
  if (status_.state == SourceStatus::State::kFailing) log::info("{} resolves again", host_);
  backoff_.reset();
  std::vector<Endpoint> endpoints;
  for (const auto& answer : answers) endpoints.push_back({answer.endpoint(), status_.from});
  ++status_.lists;
  status_.state = SourceStatus::State::kFollowing;
  status_.heard_at = now;
  status_.endpoints = endpoints.size();
  publish(std::move(endpoints));
  co_return pace_.age;
}

void NameSource::doubt() { pause_.cancel(); }

std::string to_string(const HostAndPort& target) {
  const auto& [host, port] = target;
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

Result<HostAndPort> parse_host_and_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(fmt::format("'{}' is not HOST:PORT", text));
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return tl::unexpected(port.error());
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    // Asio reads up to the first NUL, and takes anything for a zone.
    const bool odd = std::any_of(host.begin(), host.end(),
                                 [](char c) { return c != ':' && !may_stand_in_host(c); });
    boost::system::error_code error;
    asio::ip::make_address_v6(host, error);
    if (error || odd) return fail(fmt::format("'{}' is not an IPv6 address", host));
  } else if (host.empty() || !std::all_of(host.begin(), host.end(), may_stand_in_host)) {
    return fail(fmt::format("'{}' is not a host name or address", host));
  }
  return HostAndPort{std::string(host), *port};
}

}  // namespace ambbpf
