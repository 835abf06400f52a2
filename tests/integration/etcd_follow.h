// SPDX-License-Identifier: Apache-2.0
// A source under test on a loop of its own, which turns only while the test waits for something.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/support/etcd_process.h"
#include "userspace/discovery/etcd_catalogue.h"
#include "userspace/support/asio.h"

namespace ambbpf::test {

class Follow {
 public:
  Follow(EtcdApi api, EtcdOptions options, const std::string& service = "web",
         HttpAccess access = {}, std::optional<EtcdUser> user = std::nullopt)
      : client_(io_.get_executor(), std::move(access), std::move(user)) {
    catalogues_ = make_etcd_catalogues(api, client_, options, resolver_);
    for (const auto& catalogue : catalogues_) {
      sources_.push_back(catalogue->source_of(service));
      spawn(io_, catalogue->run());
    }
    published_.resize(sources_.size());
    for (std::size_t i = 0; i < sources_.size(); ++i)
      spawn(io_, sources_[i]->run([this, i](std::vector<Endpoint> endpoints, const Cause&) {
        published_[i].push_back(std::move(endpoints));
      }));
  }

  // Turns the loop until the condition holds; false if it does not within 20 s.
  bool until(const std::function<bool()>& condition,
             Clock::duration limit = std::chrono::seconds(20)) {
    const auto deadline = Clock::now() + limit;
    while (!condition()) {
      if (Clock::now() > deadline) return false;
      io_.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  void turn_for(Clock::duration how_long) {
    until([] { return false; }, how_long);
  }

  bool until_set_is(const std::set<std::string>& addresses) {
    return until([&] { return has_published() && set() == addresses; });
  }

  bool until_state_is(SourceStatus::State state) {
    return until([&] { return status().state == state; });
  }

  // Waits for a listing after those taken so far.
  bool until_listed_again() {
    return until([this, lists = status().lists] { return status().lists > lists; });
  }

  bool has_published(std::size_t source = 0) const { return !published_[source].empty(); }
  std::size_t publications(std::size_t source = 0) const { return published_[source].size(); }

  // The addresses last published.
  std::set<std::string> set(std::size_t source = 0) const {
    std::set<std::string> addresses;
    if (has_published(source))
      for (const auto& endpoint : published_[source].back())
        addresses.insert(to_string(endpoint.address));
    return addresses;
  }

  const std::vector<Endpoint>& last(std::size_t source = 0) const {
    return published_[source].back();
  }
  SourceStatus status(std::size_t source = 0) const { return sources_[source]->status(); }
  Source& source(std::size_t source = 0) { return *sources_[source]; }
  Resolver& resolver() { return *resolver_; }

 private:
  asio::io_context io_{1};
  EtcdClient client_;
  std::shared_ptr<Resolver> resolver_ = std::make_shared<Resolver>(io_.get_executor());
  std::vector<std::unique_ptr<Catalogue>> catalogues_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<std::vector<std::vector<Endpoint>>> published_;
};

inline EtcdOptions options_for(std::vector<std::string> urls) {
  EtcdOptions options;
  options.urls = std::move(urls);
  options.request_timeout = std::chrono::seconds(2);
  return options;
}

using Set = std::set<std::string>;

// The same keys through either API.
struct Keys {
  const EtcdProcess& etcd;
  EtcdApi api;

  void put(const std::string& key, const std::string& value, int ttl = 0) const {
    api == EtcdApi::kV2 ? etcd.put_v2(key, value, ttl) : etcd.put_v3(key, value, ttl);
  }
  void remove(const std::string& key, bool recursive = false) const {
    api == EtcdApi::kV2 ? etcd.remove_v2(key, recursive) : etcd.remove_v3(key, recursive);
  }
};

}  // namespace ambbpf::test
