// SPDX-License-Identifier: Apache-2.0
// The table between discovery and proxy: sources publish whole sets, connections pick one backend.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/endpoints/backend.h"
#include "userspace/endpoints/change_log.h"
#include "userspace/endpoints/choice.h"
#include "userspace/endpoints/endpoint.h"
#include "userspace/endpoints/endpoint_set.h"
#include "userspace/endpoints/overrides.h"
#include "userspace/endpoints/set_history.h"
#include "userspace/endpoints/slow_start.h"
#include "userspace/endpoints/waiting_line.h"
#include "userspace/support/histogram.h"
#include "userspace/support/log_limit.h"

namespace ambbpf {

// Why this process cannot have a backend at an address; empty: it can.
using Objection = std::function<std::string(const tcp::endpoint&)>;

// How a service's backends are chosen.
struct Balance {
  const Policy* policy = policy_named("round_robin");
  std::string zone{};                       // whose endpoints are preferred; empty: none's
  unsigned zone_spill = 50;                 // as in candidates_of()
  unsigned max_ejected = 50;                // …
  unsigned eject_resets = 3;                // as in Health::note()
  std::chrono::milliseconds slow_start{0};  // as in slow_part(); 0: none

  bool operator==(const Balance&) const = default;
};

class Service;

// A connection's place at a backend, for as long as this lives. Whoever waits for one is called at
// its end.
class BackendPlace {
 public:
  // Takes over one that was taken; `service` is the backend's, and outlives this.
  BackendPlace(Service& service, std::shared_ptr<Backend> backend)
      : service_(&service), backend_(std::move(backend)) {}
  BackendPlace() = default;
  BackendPlace(BackendPlace&& other) noexcept = default;
  BackendPlace& operator=(BackendPlace&& other) noexcept {
    std::swap(service_, other.service_);
    std::swap(backend_, other.backend_);
    return *this;
  }
  ~BackendPlace();

  const std::shared_ptr<Backend>& backend() const { return backend_; }

 private:
  Service* service_ = nullptr;
  std::shared_ptr<Backend> backend_;  // null: none is taken, or it was moved from
};

inline constexpr auto kAnyNumber = std::numeric_limits<std::uint64_t>::max();

// One service's endpoints, united from its sources. All members may be called from any thread.
class Service {
 public:
  explicit Service(std::string name) : name_(std::move(name)) {}
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  const std::string& name() const { return name_; }

  // Makes room for one more source, behind the others. What it has published counts until it is not
  // kept any more.
  using SourceId = std::uint64_t;
  SourceId add_source();
  void publish(SourceId source, std::vector<Endpoint> endpoints, const Cause& cause = {});
  void keep_sources(const std::vector<SourceId>& sources);  // in this order, and no others

  // The way in for a source of its own: valid as long as *this.
  Publish way_in(SourceId source) {
    return [this, source](std::vector<Endpoint> endpoints, const Cause& cause) {
      publish(source, std::move(endpoints), cause);
    };
  }

  // By the present choice, one of `tried` only if there is no other; or who is due for a trial,
  // which begins then. Null while no endpoint is known.
  std::shared_ptr<Backend> pick(const Client& client, const Backends& tried = {});

  // The same, with a place at one that has fewer than `most` connections.
  struct Claim {
    std::optional<BackendPlace> place{};
    bool all_full = false;  // false without a place: no endpoint is known
  };
  Claim claim(const Client& client, const Backends& tried, std::uint64_t most);

  // The decision in force: the newest, whatever the time. Whoever acts on it for longer waits for
  // the next one until `Choice::until`.
  std::shared_ptr<const Choice> choice();

  std::size_t used_all_the_same() const;  // as that choice has it

  // Returns as soon as the present choice is not of version `seen`, at `deadline` at the latest.
  // The caller's executor must not run on several threads.
  awaitable<void> wait_for_change(std::uint64_t seen, Clock::time_point deadline);

  // What was learnt of a backend of this service; as Backend::report(), and the choice follows.
  // Returns whether it is news: it is ejected and was in use, or it is proven well again. Without a
  // lock for what is good of a backend that is not suspect.
  bool report(Backend& backend, BackendOutcome outcome, std::string_view why = {});

  // What active checks say of a backend of this service, as Backend::keep_check(); the choice
  // follows.
  void report_check(Backend& backend, std::optional<Checked> checked);

  // Whose turn it is next, for Choice::pick().
  std::uint64_t turn() const { return turn_; }

  void choose_by(Balance balance);
  Balance balance() const;

  // What was said by hand; it counts from now on.
  void override_by(Overrides overrides);
  Overrides overrides() const;

  std::shared_ptr<const EndpointSet> in_force() const;

  // Endpoints that `objection` speaks against are rejected instead of put in force. Set once,
  // before sources publish; what it says may change with the host's addresses, and counts from the
  // next judge_again() on.
  void reject_by(Objection objection) { objection_ = std::move(objection); }
  void judge_again();
  std::vector<RejectedValue> rejected() const;
  std::vector<GoneEndpoint> gone() const { return set_history_.gone(); }

  // The most connections that may be open at once.
  void limit_connections(std::uint64_t most) {
    most_connections_ = most;
    line_for_admission.call_first();
  }
  std::uint64_t most_connections() const { return most_connections_; }

  // Called from any thread when connecting to an endpoint failed: its source may know better by
  // now. Set once, before connections are served.
  void on_doubt(std::function<void()> doubt) { doubt_ = std::move(doubt); }
  void doubt() const {
    if (doubt_) doubt_();
  }

  // Who counts what: connections_*, bytes_* and lives the Admission (proxy/admission.h), the rest
  // who lets it happen. Of endpoints that are gone by now as well.
  std::atomic<std::uint64_t> connections_now{0};
  std::atomic<std::uint64_t> connections_total{0};
  // Connections reset at once.
  std::atomic<std::uint64_t> too_many{0};  // as many are open as may be
  std::atomic<std::uint64_t> out_of_descriptors{0};
  std::atomic<std::uint64_t> no_proxy_header{0};  // where one has to be
  std::atomic<std::uint64_t> malformed_proxy_headers{0};
  std::atomic<std::uint64_t> denied{0};
  std::atomic<std::uint64_t> too_many_of_a_client{0};
  std::atomic<std::uint64_t> too_fast_for_a_client{0};
  std::atomic<std::uint64_t> too_fast{0};        // all of them together
  std::atomic<std::uint64_t> endpoints_full{0};  // without a queue
  std::atomic<std::uint64_t> queue_full{0};
  // Connections for which the limits left no room at first, and those that were reset after it.
  std::atomic<std::uint64_t> queued{0};
  std::atomic<std::uint64_t> queued_now{0};
  std::atomic<std::uint64_t> queue_timeouts{0};
  // Connections reset after their time was over.
  std::atomic<std::uint64_t> idle_timeouts{0};
  std::atomic<std::uint64_t> half_closed_timeouts{0};
  std::atomic<std::uint64_t> lifetimes_over{0};
  std::atomic<std::uint64_t> first_byte_timeouts{0};
  std::atomic<std::uint64_t> connect_retries{0};
  std::atomic<std::uint64_t> connect_failures{0};
  // Of endpoints, until they are well again.
  std::atomic<std::uint64_t> connect_ejections{0};
  std::atomic<std::uint64_t> reset_ejections{0};
  std::atomic<std::uint64_t> early_resets{0};
  std::atomic<std::uint64_t> checks_passed{0};  // active ones
  std::atomic<std::uint64_t> checks_failed{0};  // …
  std::atomic<std::uint64_t> held{0};           // connections that had to wait for an endpoint
  std::atomic<std::uint64_t> held_now{0};
  // Connections that got no endpoint and were reset.
  std::atomic<std::uint64_t> no_endpoint{0};       // there was none for as long as they were held
  std::atomic<std::uint64_t> gave_up{0};           // each attempt has failed
  std::atomic<std::uint64_t> bytes_to_backend{0};  // of connections that have ended
  std::atomic<std::uint64_t> bytes_to_client{0};   // …
  Histogram connect_times{Histogram::latencies()};
  Histogram first_bytes{Histogram::latencies()};  // of backends, from when they were connected
  Histogram lives{Histogram::lives()};  // of connections that had an endpoint and have ended

  // Who is queued stands in one of these.
  WaitingLine line_for_admission;  // for most_connections()
  WaitingLine line_for_endpoints;  // for a place at a backend

  LogLimit own_limits_log;  // for lines on limits of this process that its connections meet

 private:
  struct Union {
    EndpointSet endpoints;
    std::vector<RejectedValue> rejected;
    std::set<tcp::endpoint> addresses;
    std::set<tcp::endpoint> objected;
  };

  // With publishing_ held:
  void unite(const Cause& cause);
  Union united_feeds() const;  // feeds_, less what objection_ is against
  bool judgement_stands() const;
  void log_new(const std::vector<RejectedValue>& before, const Union& united, const Cause& cause);
  void record_ejection(const Backend& backend, const Choice& choice, Cause cause) const;
  void record_return(const Failing& failing, const Backend& backend, const Choice& choice,
                     BackendOutcome outcome) const;
  std::shared_ptr<Backend> begin_trial(const Choice& with_those_due, const Client& client,
                                       std::uint64_t turn, const Backends& tried);
  // With mutex_ held:
  void choose(Clock::time_point now);
  Choice choice_at(Clock::time_point now);
  void record_limit(std::size_t before) const;

  const std::string name_;
  std::function<void()> doubt_;
  Objection objection_;
  std::atomic<std::uint64_t> most_connections_ = kAnyNumber;
  std::atomic<std::uint64_t> turn_{0};
  const std::uint64_t seed_ = std::random_device()();

  // Held by those who publish, also while they log: connections never wait for it.
  std::mutex publishing_;
  struct Feed {
    SourceId source;
    std::vector<Endpoint> endpoints{};
  };
  std::vector<Feed> feeds_;
  SourceId next_source_ = 1;
  std::set<tcp::endpoint> objected_;  // of feeds_, when it was last asked about
  ChangeLog change_log_;
  SetHistory set_history_;

  mutable std::mutex mutex_;  // guards all below; taken last
  std::shared_ptr<const EndpointSet> in_force_ = std::make_shared<const EndpointSet>();
  std::vector<RejectedValue> rejected_;
  Balance balance_;
  Overrides overrides_;
  SlowStarts slow_starts_;
  std::shared_ptr<const Choice> choice_ =
      std::make_shared<const Choice>(Choice{.policy = balance_.policy});
  std::vector<std::weak_ptr<asio::steady_timer>> waiting_;
};

}  // namespace ambbpf
