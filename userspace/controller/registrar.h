// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "userspace/admin/status_report.h"
#include "userspace/config/settings.h"
#include "userspace/controller/origins.h"
#include "userspace/registration/key_reconciler.h"
#include "userspace/registration/planner.h"

namespace ambbpf {

// One registration at work: Docker tells, the plan is made anew, etcd is kept so. On the
// controller's thread; its coroutines keep it until withdraw() has ended them.
class Registrar : public std::enable_shared_from_this<Registrar> {
 public:
  Registrar(RegistrationSettings settings, std::shared_ptr<EtcdCluster> etcd,
            std::shared_ptr<DockerEngine> docker);
  Registrar(const Registrar&) = delete;
  Registrar& operator=(const Registrar&) = delete;

  // Once. Before it writes its first key, `predecessor` and those before it refresh theirs for the
  // last time: of two who keep the same value, etcd cannot tell whose the key is. May be null.
  void start(asio::io_context& io, const std::shared_ptr<Registrar>& predecessor);

  const std::string& name() const { return settings_.name; }

  // Whether this is what `settings` ask for.
  bool is_for(const RegistrationSettings& settings, const Origins& origins) const;

  std::string not_ready() const;
  bool has_registered() const;  // is ready, and every key stands that is wanted

  // Removes its keys, at the deadline at the latest; from then on it does nothing any more.
  static awaitable<void> withdraw(std::shared_ptr<Registrar> self, Clock::time_point deadline);

  StatusReport::Registrar report(Clock::time_point now) const;
  std::string summary() const;  // "container web-1, docker unix:///var/run/docker.sock"

 private:
  PlanRules rules() const;
  static awaitable<void> advertise(std::shared_ptr<Registrar> self);
  static awaitable<void> name_host(std::shared_ptr<Registrar> self);
  static awaitable<void> reconcile(std::shared_ptr<Registrar> self);
  static awaitable<void> stop_predecessors(std::shared_ptr<Registrar> self);

  const RegistrationSettings settings_;
  const std::shared_ptr<EtcdCluster> etcd_;
  const std::shared_ptr<DockerEngine> docker_;
  KeyReconciler reconciler_;
  RegistrationPlanner planner_;
  std::shared_ptr<Registrar> predecessor_;  // null: there is none, or it stands still
  std::shared_ptr<const DockerFollower::Subscriber> subscriber_;  // null: it is being withdrawn
};

}  // namespace ambbpf
