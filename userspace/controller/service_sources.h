// SPDX-License-Identifier: Apache-2.0
// The sources of one service, which come and go while it is served.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "userspace/config/settings.h"
#include "userspace/controller/grace.h"
#include "userspace/controller/origins.h"
#include "userspace/discovery/source.h"
#include "userspace/endpoints/service.h"
#include "userspace/support/task.h"

namespace ambbpf {

using StaticEndpoints = std::vector<Endpoint>;

// A name, and who is asked for it.
template <class Name>  // HostAndPort or SrvName
struct Resolved {
  std::shared_ptr<Resolver> resolver;
  Name name;

  bool operator==(const Resolved&) const = default;
};

// What a service is to be fed from. A kind of source is one of these, and made from it in
// service_sources.cpp.
using Feed = std::variant<std::shared_ptr<EtcdCluster>, std::shared_ptr<DockerEngine>,
                          Resolved<HostAndPort>, Resolved<SrvName>, StaticEndpoints>;

// Every name that `settings` refers to is in `origins`.
std::vector<Feed> feeds_of(const SourceSettings& settings, const Origins& origins);

// On the controller's thread.
class ServiceSources {
 public:
  ServiceSources(asio::io_context& io, std::shared_ptr<Service> service)
      : io_(io), service_(std::move(service)), grace_(io, service_) {}

  void give_grace(std::chrono::milliseconds grace) { grace_.change(grace); }

  // These are wanted from now on, in this order, and no others. Those that are at work stay. What
  // others have published counts, and those that come are behind, until all have said what they
  // know.
  void change(const std::vector<Feed>& wanted);

  // Lets go of what has been replaced, where it is time. True: all is as it is wanted.
  bool settle();

  void doubt() const;  // looks again, if a source can
  bool any_answered() const;
  std::vector<SourceStatus> status() const;

 private:
  struct Parts;
  struct AtWork {
    std::shared_ptr<Parts> parts;  // of the task as well, until it has ended
    Service::SourceId id;
    Task task;
  };
  // All that one feed has become: etcd with its two APIs is two sources.
  struct Working {
    Feed feed;
    std::vector<AtWork> sources;
  };
  Working begin(const Feed& feed);
  bool all_said_what_they_know() const;

  asio::io_context& io_;
  const std::shared_ptr<Service> service_;
  Grace grace_;
  std::vector<Working> working_;
  std::vector<Working> replaced_;
  bool settled_ = true;
};

}  // namespace ambbpf
