// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "userspace/endpoints/service.h"
#include "userspace/endpoints/vanished.h"
#include "userspace/support/task.h"

namespace ambbpf {

// Stands between a service and its sources whose keys expire: endpoints that vanish together stay
// in force for a while, as long as they take a connect, which is tried once a second and reset. On
// the controller's thread.
class Grace {
 public:
  Grace(asio::io_context& io, std::shared_ptr<Service> service);

  // For endpoints that vanish from now on. 0: none is kept.
  void change(std::chrono::milliseconds grace) { state_->grace = grace; }

  // In place of the service's own; valid beyond *this.
  Publish way_in(Service::SourceId source) const;
  void keep_sources(const std::vector<Service::SourceId>& sources);  // and no others

  // What an operator should know of a source; empty: nothing.
  std::string note(Service::SourceId source, Clock::time_point now) const;

 private:
  struct State {
    asio::io_context& io;
    std::shared_ptr<Service> service;
    std::chrono::milliseconds grace{0};
    std::map<Service::SourceId, VanishedTogether> sets{};
    bool asking = false;
  };
  using StatePtr = std::shared_ptr<State>;

  static void publish(const StatePtr& state, Service::SourceId source,
                      std::vector<Endpoint> endpoints, const Cause& cause);
  static awaitable<void> ask_all(StatePtr state);
  static awaitable<void> ask(StatePtr state, Service::SourceId source, tcp::endpoint address);
  // Of those kept some are gone: the service is told of it.
  static void end_some(State& state, Service::SourceId source, const std::string& why);

  StatePtr state_;
};

}  // namespace ambbpf
