// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "userspace/discovery/etcd_follower.h"
#include "userspace/etcd/client.h"

namespace ambbpf {

// Wakes those who wait before they ask the same server again.
class WakeUp {
 public:
  // The timer the new sleeper is to wait on.
  std::shared_ptr<asio::steady_timer> add_sleeper(const asio::any_io_executor& executor);
  void all();

 private:
  std::vector<std::weak_ptr<asio::steady_timer>> sleepers_;
};

// Lists one directory, then watches it, and begins anew after every doubt. `Api` is EtcdV2 or
// EtcdV3. All members are for the thread of `client`, which outlives *this.
template <class Api>
class EtcdWatch : public std::enable_shared_from_this<EtcdWatch<Api>> {
 public:
  // What its owner has to know: services have been listed; their listing is too long.
  struct Tell {
    std::function<void()> listed;
    std::function<void()> too_long;
  };

  EtcdWatch(EtcdClient& client, std::string directory, const EtcdOptions& options,
            std::shared_ptr<EtcdOutages> outages, std::shared_ptr<WakeUp> wake_up, Tell tell);

  EtcdFollower& follower() { return follower_; }

  // Until it is cancelled (spawn_stoppable).
  awaitable<void> run();
  void stop();  // its services are nobody's from now on
  asio::cancellation_slot stopped_by() { return stop_.slot(); }

  // Takes in one more service, or only lists one, while the watch goes on.
  void add(FollowedService& service);
  void look_at(FollowedService& service);

 private:
  awaitable<Backoff::Delay> list();   // the delay before what comes next
  awaitable<Backoff::Delay> watch();  // the delay before listing again
  awaitable<Result<EtcdListing>> list_for_some(std::string directory);
  awaitable<bool> list_asked(Backoff::Delay& delay);  // false: the watch is over
  Backoff::Delay list_failed(const Error& error);
  void publish();

  EtcdFollower follower_;
  Api api_;
  const std::shared_ptr<WakeUp> wake_up_;  // shared by those who ask the same server
  const Tell tell_;
  const std::shared_ptr<asio::steady_timer> pause_;
  asio::steady_timer publication_;
  asio::cancellation_signal stop_;
  bool listed_ = false;  // the last list() succeeded: a watch comes next
};

}  // namespace ambbpf
