// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/name_source.h"

#include <fmt/format.h>

#include <boost/algorithm/string/replace.hpp>

#include "userspace/events/event_log.h"
#include "userspace/http/url.h"
#include "userspace/support/log.h"

namespace ambbpf {

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
    if (status_.state != SourceStatus::State::kFailing) {
      log::warn("{}", status_.last_error);
      event_log().record(
          {.kind = std::string(event_kind::kSourceLost),
           .cause = status_.last_error,
           .outcome = fmt::format("{}: known endpoints stay in force", status_.from)});
    }
    status_.state = SourceStatus::State::kFailing;
    co_return backoff_.next();
  }
  if (status_.state == SourceStatus::State::kFailing) {
    log::info("{} resolves again", host_);
    event_log().record({.kind = std::string(event_kind::kSourceBack),
                        .cause = fmt::format("{} resolves again", host_),
                        .outcome = status_.from});
  }
  backoff_.reset();
  std::vector<Endpoint> endpoints;
  for (const auto& answer : answers) endpoints.push_back({answer.endpoint(), status_.from});
  ++status_.lists;
  status_.state = SourceStatus::State::kFollowing;
  status_.heard_at = now;
  status_.endpoints = endpoints.size();
  const Cause cause{.what = fmt::format("the addresses of {}", host_), .heard = now};
  publish(std::move(endpoints), cause);
  co_return pace_.age;
}

void NameSource::doubt() { pause_.cancel(); }

std::string to_string(const HostAndPort& target) {
  const auto& [host, port] = target;
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

Result<HostAndPort> parse_host_and_port(std::string_view text) {
  const auto authority = parse_authority(text);
  if (!authority) return tl::unexpected(authority.error());
  if (!authority->port) return fail(fmt::format("'{}' is not HOST:PORT", text));
  auto host = authority->host;
  if (host.starts_with('[')) {
    host = host.substr(1, host.size() - 2);
    boost::algorithm::replace_first(host, "%25", "%");
  }
  return HostAndPort{std::move(host), *authority->port};
}

}  // namespace ambbpf
