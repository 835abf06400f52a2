// SPDX-License-Identifier: Apache-2.0
// The endpoints of services as keys in etcd, below PREFIX/SERVICE.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "userspace/discovery/etcd_watch.h"
#include "userspace/discovery/source.h"
#include "userspace/etcd/client.h"

namespace ambbpf {

// One etcd cluster, through one of its APIs, as the source of many services. Up to kFewServices
// have a watch each, of their own directories: for these, nobody has to read all the others. More
// of them share one watch of the whole prefix; where the prefix is too long to be listed (API v2
// knows no pages), each has its own again. Whenever that changes, the new watches have listed
// before the old ones end. Without services there is no watch.
//
// `Api` is EtcdV2 or EtcdV3. All members are for the thread of `client`, which outlives *this.
template <class Api>
class EtcdCatalogue final : public Catalogue {
 public:
  EtcdCatalogue(EtcdClient& client, EtcdOptions options, std::shared_ptr<EtcdOutages> outages,
                std::shared_ptr<WakeUp> wake_up, std::shared_ptr<Resolver> resolver);

  std::unique_ptr<Source> source_of(std::string service) override;
  awaitable<void> run() override;

 private:
  class OneService;
  using Watch = EtcdWatch<Api>;

  void add(FollowedService& service);
  void remove(FollowedService& service);
  void doubt(FollowedService& service);
  SourceStatus status_of(const FollowedService& service) const;

  std::map<std::string, std::vector<FollowedService*>> wanted_watches() const;  // by directory
  void review();                                                                // soon, in run()
  void start_and_stop_watches();  // those that are wanted, those that are not
  void start(const std::string& directory, const std::vector<FollowedService*>& services);
  void stop_all();

  EtcdClient& client_;
  const EtcdOptions options_;
  const std::string prefix_;
  const std::shared_ptr<EtcdOutages> outages_;
  const std::shared_ptr<WakeUp> wake_up_;
  const std::shared_ptr<Resolver> resolver_;  // of names in values
  asio::steady_timer review_;
  std::vector<FollowedService*> services_;
  std::map<std::string, std::shared_ptr<Watch>> watches_;  // by directory
  std::size_t running_ = 0;                                // watches, those that are ending too
  bool reviewed_ = true;
  bool too_long_ = false;  // the listing of the prefix
};

// One for kV2 or kV3. For kAuto both: each asks by doing and stays in kNotServed where the server
// does not speak its API; a service unites their sets.
std::vector<std::unique_ptr<Catalogue>> make_etcd_catalogues(EtcdApi api, EtcdClient& client,
                                                             const EtcdOptions& options,
                                                             std::shared_ptr<Resolver> resolver);

}  // namespace ambbpf
