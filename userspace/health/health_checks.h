// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <random>

#include "userspace/endpoints/service.h"
#include "userspace/health/check.h"
#include "userspace/health/rise_and_fall.h"
#include "userspace/support/task.h"

namespace ambbpf {

// Who holds a place checks; others wait for theirs, in the order in which they came. For all
// services of a process, on one thread.
class CheckPlaces {
 public:
  static constexpr std::size_t kMost = 64;

  // True: the caller has a place until it calls leave(). False: it was cancelled.
  awaitable<bool> enter();
  void leave();

 private:
  void wake_one();

  std::size_t free_ = kMost;
  std::deque<std::weak_ptr<asio::steady_timer>> waiting_;
};

// Checks the endpoints of one service again and again, and tells it what comes of it. On the
// controller's thread.
class HealthChecks {
 public:
  HealthChecks(asio::io_context& io, std::shared_ptr<Service> service,
               std::shared_ptr<CheckPlaces> places);
  ~HealthChecks();
  HealthChecks(const HealthChecks&) = delete;
  HealthChecks& operator=(const HealthChecks&) = delete;

  // From now on. Who is up or down stays so, until checks say otherwise or there are none any more.
  void change(const CheckSettings& settings, ProxyVersion header);

 private:
  struct Watched {
    std::shared_ptr<Backend> backend;
    RiseAndFall state{};
    Clock::time_point since = Clock::now();  // it is up, or down
    std::string last_error{};
    Task checking{};
  };
  struct State {
    asio::any_io_executor executor;
    std::shared_ptr<Service> service;
    std::shared_ptr<CheckPlaces> places;
    std::shared_ptr<const Check> check{};  // null: there is none
    std::map<const Backend*, Watched> watched{};
    std::minstd_rand random{std::random_device{}()};
  };
  using StatePtr = std::shared_ptr<State>;

  static awaitable<void> follow(StatePtr state);
  static void compare(const StatePtr& state);
  static void begin(const StatePtr& state, const std::vector<Watched*>& all);
  static awaitable<void> check_on(StatePtr state, std::shared_ptr<Backend> backend,
                                  Clock::duration first);
  static void take_in(State& state, Backend& backend, const Result<void>& outcome);
  static double random_part(State& state);

  StatePtr state_;
  Task following_;
};

}  // namespace ambbpf
