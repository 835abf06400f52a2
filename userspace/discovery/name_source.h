// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include "userspace/discovery/source.h"
#include "userspace/support/backoff.h"

namespace ambbpf {

// The addresses of one host name, as the system's resolver gives them (hosts file, DNS). They are
// asked for again when they have aged, and soon after connecting to one of them has failed. While
// the resolver fails, the last good answer stays.
class NameSource final : public Source {
 public:
  struct Pace {
    std::chrono::milliseconds age{30'000};   // getaddrinfo(3) tells no TTL
    std::chrono::milliseconds least{1'000};  // between two questions, however much in doubt
  };

  // `host`: a name, an IPv4 address, or an IPv6 address without brackets. `io` outlives *this.
  NameSource(asio::io_context& io, std::string host, unsigned short port, Pace pace);
  NameSource(asio::io_context& io, std::string host, unsigned short port)
      : NameSource(io, std::move(host), port, Pace{}) {}

  awaitable<void> run(Publish publish) override;
  SourceStatus status() const override { return status_; }
  void doubt() override;

 private:
  awaitable<Clock::duration> resolve(const Publish& publish);  // the time until the next question

  tcp::resolver resolver_;
  asio::steady_timer pause_;
  const std::string host_;
  const unsigned short port_;
  const Pace pace_;
  Backoff backoff_{std::chrono::milliseconds(500), std::chrono::milliseconds(10'000)};
  Clock::time_point asked_at_;
  SourceStatus status_;
};

// "HOST:PORT", "10.0.0.1:80", "[fd00::1]:80". The host is not resolved here.
struct HostAndPort {
  std::string host;  // without brackets
  unsigned short port = 0;

  bool operator==(const HostAndPort&) const = default;
};
std::string to_string(const HostAndPort& target);
Result<HostAndPort> parse_host_and_port(std::string_view text);

}  // namespace ambbpf
