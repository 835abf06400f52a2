// SPDX-License-Identifier: Apache-2.0
// The table between discovery and proxy: sources publish whole sets, connections pick one backend.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "userspace/endpoints/change_log.h"
#include "userspace/endpoints/endpoint.h"
#include "userspace/support/log_limit.h"

namespace ambbpf {

// One address in force. Shared by all threads; lives on in the connections that use it when its
// endpoint goes, and keeps its state when its endpoint is published again under the same address.
class Backend {
 public:
  explicit Backend(tcp::endpoint address) : address_(std::move(address)) {}

  const tcp::endpoint& address() const { return address_; }

  // A failed connect ejects the backend: for 1 s at first, doubled by every further failure in a
  // row, at most 30 s. An ejected backend is picked only when every other one is ejected as well.
  // Both return whether this is news: the first failure after a success, or the reverse.
  bool connect_failed(Clock::time_point now);
  bool connect_succeeded();
  bool ejected(Clock::time_point now) const { return now < ejected_until(); }
  Clock::time_point ejected_until() const;

  std::atomic<std::uint64_t> connections_now{0};
  std::atomic<std::uint64_t> connections_total{0};
  std::atomic<std::uint64_t> failed_connects{0};

 private:
  tcp::endpoint address_;
  std::atomic<std::uint32_t> failures_in_a_row_{0};
  std::atomic<Clock::rep> ejected_until_{0};
};

// An endpoint in force and what is known of its backend.
struct ListedEndpoint {
  std::shared_ptr<Backend> backend;
  std::string found_as;  // Endpoint::found_as

  bool operator==(const ListedEndpoint&) const = default;
};
using EndpointSet = std::vector<ListedEndpoint>;

// How a source hands over everything it knows, after every change. The set replaces the source's
// previous one whole; order is kept; an address that stands twice counts once.
using Publish = std::function<void(std::vector<Endpoint>)>;

// Why this process cannot have a backend at an address; empty: it can.
using Objection = std::function<std::string(const tcp::endpoint&)>;

// One service's endpoints, united from its sources. All members may be called from any thread.
class Service {
 public:
  explicit Service(std::string name) : name_(std::move(name)) {}
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  const std::string& name() const { return name_; }

  // Makes room for one more source; the result is that source's way in, valid as long as *this.
  Publish add_source();

  // Round robin, ejected backends last. Null while no endpoint is known.
  std::shared_ptr<Backend> pick();

  std::shared_ptr<const EndpointSet> in_force() const;

  // Endpoints that `objection` speaks against are rejected instead of put in force. Set once,
  // before sources publish; what it says may change with the host's addresses, and counts from the
  // next judge_again() on.
  void reject_by(Objection objection) { objection_ = std::move(objection); }
  void judge_again();
  std::vector<RejectedValue> rejected() const;

  // The most connections that may be open at once. Set once, before connections are served.
  void limit_connections(std::uint64_t most) { most_connections_ = most; }
  std::uint64_t most_connections() const { return most_connections_; }

  // Counts one more connection as open, for whoever closes it to count it out. False, and nothing
  // counted, where there are as many as there may be.
  bool admit_connection();

  // Called from any thread when connecting to an endpoint failed: its source may know better by
  // now. Set once, before connections are served.
  void on_doubt(std::function<void()> doubt) { doubt_ = std::move(doubt); }
  void doubt() const {
    if (doubt_) doubt_();
  }

  // Counts publications that changed the set in force.
  std::uint64_t version() const;

  // Returns as soon as version() != seen, at `deadline` at the latest. The caller's executor must
  // not run on several threads.
  awaitable<void> wait_for_change(std::uint64_t seen, Clock::time_point deadline);

  std::atomic<std::uint64_t> connections_now{0};
  std::atomic<std::uint64_t> connections_total{0};
  std::atomic<std::uint64_t> refused{0};  // connections reset at once: there were too many
  std::atomic<std::uint64_t> connect_retries{0};
  std::atomic<std::uint64_t> held{0};    // connections that had to wait for an endpoint
  std::atomic<std::uint64_t> failed{0};  // connections that got none and were reset

  LogLimit own_limits_log;  // for lines on limits of this process that its connections meet

 private:
  struct Union {
    EndpointSet endpoints;
    std::vector<RejectedValue> rejected;
    std::set<tcp::endpoint> addresses;
  };

  void publish(std::size_t source, std::vector<Endpoint> endpoints);
  // With mutex_ held:
  Union unite() const;  // sources_, less what objection_ is against
  void log_new(const std::vector<RejectedValue>& rejected) const;
  void put_in_force(Union united);

  const std::string name_;
  std::function<void()> doubt_;
  Objection objection_;
  std::uint64_t most_connections_ = std::numeric_limits<std::uint64_t>::max();
  std::atomic<std::size_t> next_{0};

  mutable std::mutex mutex_;  // guards all below
  std::vector<std::vector<Endpoint>> sources_;
  std::shared_ptr<const EndpointSet> in_force_ = std::make_shared<const EndpointSet>();
  std::vector<RejectedValue> rejected_;
  ChangeLog change_log_;
  std::uint64_t version_ = 0;
  std::vector<std::weak_ptr<asio::steady_timer>> waiting_;
};

}  // namespace ambbpf
