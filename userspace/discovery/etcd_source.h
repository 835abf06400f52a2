// SPDX-License-Identifier: Apache-2.0
// The endpoints of a service as keys in etcd, below PREFIX/SERVICE.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/discovery/etcd_follower.h"
#include "userspace/discovery/source.h"
#include "userspace/etcd/client.h"

namespace ambbpf {

// Wakes sources that wait before they ask the same server again.
class WakeUp {
 public:
  // The timer the new sleeper is to wait on.
  std::shared_ptr<asio::steady_timer> add_sleeper(const asio::any_io_executor& executor);
  void all();

 private:
  std::vector<std::weak_ptr<asio::steady_timer>> sleepers_;
};

// `Api` is EtcdV2 or EtcdV3. All members are for the thread of `client`, which outlives *this.
template <class Api>
class EtcdSource final : public Source {
 public:
  EtcdSource(EtcdClient& client, std::string_view service, EtcdOptions options,
             std::shared_ptr<EtcdOutages> outages, std::shared_ptr<WakeUp> wake_up);

  awaitable<void> run(Publish publish) override;
  SourceStatus status() const override { return follower_.status(); }
  void doubt() override;

 private:
  awaitable<Backoff::Delay> list();   // the delay before what comes next
  awaitable<Backoff::Delay> watch();  // the delay before listing again

  EtcdFollower follower_;
  Api api_;
  bool listed_ = false;  // the last list() succeeded: a watch comes next
  bool doubted_ = false;
  std::shared_ptr<WakeUp> wake_up_;  // shared by the sources that ask the same server
  std::shared_ptr<asio::steady_timer> pause_;
};

// One source for kV2 or kV3. For kAuto both: each asks by doing and stays in kNotServed where the
// server does not speak its API; the service unites their sets. `outages` is for the sources of all
// services of this etcd.
std::vector<std::unique_ptr<Source>> make_etcd_sources(EtcdApi api, EtcdClient& client,
                                                       std::string_view service,
                                                       const EtcdOptions& options,
                                                       const std::shared_ptr<EtcdOutages>& outages);

}  // namespace ambbpf
