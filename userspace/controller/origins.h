// SPDX-License-Identifier: Apache-2.0
// The servers that endpoints come from and registrations go to. Each is followed once, however many
// services and registrations use it, and for as long as any does.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "userspace/config/settings.h"
#include "userspace/discovery/source.h"
#include "userspace/dns/resolver.h"
#include "userspace/docker/follower.h"
#include "userspace/etcd/client.h"
#include "userspace/support/task.h"

namespace ambbpf {

class EtcdCluster {
 public:
  EtcdCluster(asio::io_context& io, const EtcdSettings& settings,
              std::shared_ptr<Resolver> resolver);

  const EtcdSettings& settings() const;
  EtcdClient& client() const;

  // One for each API that is followed. *this outlives them.
  std::vector<std::unique_ptr<Source>> sources_of(const std::string& service) const;

 private:
  struct Parts;
  std::shared_ptr<Parts> parts_;  // of the tasks as well, until they have ended
  std::vector<Task> tasks_;
};

class DockerEngine {
 public:
  DockerEngine(asio::io_context& io, const DockerSettings& settings);

  const DockerSettings& settings() const;
  DockerFollower& follower() const;

  // *this outlives it.
  std::unique_ptr<Source> source_of(const std::string& service) const;

 private:
  struct Parts;
  std::shared_ptr<Parts> parts_;
  Task task_;
};

// By name; and whoever is asked for names, for as long as the process runs.
struct Origins {
  std::map<std::string, std::shared_ptr<EtcdCluster>> etcds;
  std::map<std::string, std::shared_ptr<DockerEngine>> dockers;
  std::shared_ptr<Resolver> resolver;
};

// Those that a service or registration of `settings` uses. Whose settings are the same is taken
// from `present`.
Origins origins_for(const Settings& settings, const Origins& present, asio::io_context& io);

}  // namespace ambbpf
