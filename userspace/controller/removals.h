// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "userspace/config/settings.h"
#include "userspace/endpoints/service.h"
#include "userspace/support/task.h"

namespace ambbpf {

// What becomes of the connections to endpoints of a service that are no longer in force. On the
// controller's thread.
class Removals {
 public:
  using Backends = std::vector<std::shared_ptr<const Backend>>;
  using Reset = std::function<void(const Backends&)>;

  // `reset` ends all connections to backends; it may be called as long as *this exists.
  Removals(asio::io_context& io, std::shared_ptr<Service> service, Reset reset);

  // Of these endpoints, or of all for none; also of those that have been removed, and whose
  // connections are to end yet.
  Backends backends_of(const std::vector<tcp::endpoint>& endpoints) const;

  // For endpoints that go from now on.
  void change(const RemovalPolicy& policy) { state_->policy = policy; }

 private:
  struct Going {
    Clock::time_point due;
    bool again = false;  // it was reset, and some may have been on their way then
  };
  struct State {
    std::shared_ptr<Service> service;
    Reset reset;
    RemovalPolicy policy{};
    std::map<tcp::endpoint, Backends> known{};  // with those that it was before
    std::map<tcp::endpoint, Going> going{};     // an endpoint that comes back keeps what is open
  };
  using StatePtr = std::shared_ptr<State>;

  static awaitable<void> follow(StatePtr state);
  static void compare(State& state);
  static Clock::time_point reset_those_due(State& state);  // returns when the next ones are

  StatePtr state_;
  Task following_;
};

}  // namespace ambbpf
