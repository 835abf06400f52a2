// SPDX-License-Identifier: Apache-2.0
// Sources that ask a real DNS server, on a loop that turns only while the test waits for something.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/support/dns_server.h"
#include "userspace/discovery/name_source.h"
#include "userspace/discovery/srv_source.h"

namespace ambbpf::test {

using Addresses = std::set<std::string>;

// A source at work, and what it has published.
struct FollowedSource {
  FollowedSource(asio::io_context& io, std::unique_ptr<Source> followed)
      : source(std::move(followed)) {
    spawn(io, source->run([this](std::vector<Endpoint> set, const Cause&) {
      sets.push_back(std::move(set));
    }));
  }

  const std::vector<Endpoint>& last() const { return sets.back(); }
  Addresses addresses() const {
    Addresses all;
    if (sets.empty()) return all;
    for (const auto& endpoint : last()) all.insert(to_string(endpoint.address));
    return all;
  }
  SourceStatus status() const { return source->status(); }
  bool is(SourceStatus::State state) const { return status().state == state; }

  std::unique_ptr<Source> source;
  std::vector<std::vector<Endpoint>> sets;
};

class NamesInDns : public testing::Test {
 protected:
  using State = SourceStatus::State;

  NamesInDns() { resolver->use_servers({dns.address()}); }

  FollowedSource& follow(const HostAndPort& target) {
    return followed.emplace_back(io, std::make_unique<NameSource>(resolver, target));
  }
  FollowedSource& follow(const SrvName& service) {
    return followed.emplace_back(io, std::make_unique<SrvSource>(resolver, service));
  }

  bool until(const std::function<bool()>& condition,
             Clock::duration limit = std::chrono::seconds(20)) {
    const auto deadline = Clock::now() + limit;
    while (!condition()) {
      if (Clock::now() > deadline) return false;
      io.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  bool until_set_is(const FollowedSource& one, const Addresses& wanted) {
    return until([&] { return one.addresses() == wanted; });
  }
  void turn_for(Clock::duration how_long) {
    until([] { return false; }, how_long);
  }

  DnsServer dns;
  asio::io_context io{1};
  std::shared_ptr<Resolver> resolver = std::make_shared<Resolver>(io.get_executor());
  std::list<FollowedSource> followed;
};

}  // namespace ambbpf::test
