// SPDX-License-Identifier: Apache-2.0
// Reconcilers of keys under test, on a loop that turns only while the test waits for something.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/etcd_process.h"
#include "userspace/registration/key_reconciler.h"
#include "userspace/support/asio.h"

namespace ambbpf::test {

inline const std::string kKey = "/services/web/web-1";
inline const std::string kValue = "10.0.0.1:80";

class Keep;

// Turns the loops of all keepers that there are.
class Turning {
 public:
  // False if the condition does not hold within the limit.
  static bool until(const std::function<bool()>& condition,
                    Clock::duration limit = std::chrono::seconds(20));
  static void turn_for(Clock::duration how_long) {
    until([] { return false; }, how_long);
  }

 private:
  friend class Keep;
  static inline std::vector<Keep*> keeps_;
};

inline constexpr std::chrono::seconds kTtl{3};

// Has a loop of its own: destroyed without withdraw(), it is as a process that was killed.
class Keep {
 public:
  Keep(EtcdApi api, std::vector<std::string> urls, std::chrono::seconds ttl = kTtl)
      : client_(io_.get_executor()), reconciler_(client_, api, options_for(std::move(urls)), ttl) {
    spawn(io_, reconciler_.run());
    Turning::keeps_.push_back(this);
  }
  ~Keep() { std::erase(Turning::keeps_, this); }
  Keep(const Keep&) = delete;
  Keep& operator=(const Keep&) = delete;

  void turn(Clock::duration at_most) { io_.run_one_for(at_most); }

  void want(const WantedKeys& keys) { reconciler_.want(keys); }
  ReconcilerStatus status() const { return reconciler_.status(); }

  std::size_t keys() const { return reconciler_.keys().size(); }

  std::optional<RegisteredKey> key(const std::string& name) const {
    for (auto& key : reconciler_.keys())
      if (key.key == name) return key;
    return std::nullopt;
  }

  bool until_state_is(const std::string& name, RegisteredKey::State state) {
    return Turning::until([&] { return key(name) && key(name)->state == state; });
  }

  bool until_kept(const std::string& name) {
    return until_state_is(name, RegisteredKey::State::kKept);
  }

  bool until_failing(bool failing = true) {
    return Turning::until([&] { return status().failing == failing; });
  }

  bool stand_still() {
    bool done = false;
    spawn(io_, stand_still_and_tell(reconciler_, done));
    return Turning::until([&] { return done; });
  }
  void before_writing(std::function<awaitable<void>()> work) {
    reconciler_.before_writing(std::move(work));
  }

  // False: not before the deadline.
  bool withdraw(Clock::duration limit = std::chrono::seconds(5)) {
    bool done = false;
    const auto deadline = Clock::now() + limit;
    spawn(io_, withdraw_and_tell(reconciler_, deadline, done));
    return Turning::until([&] { return done; }) && Clock::now() < deadline;
  }

 private:
  static EtcdOptions options_for(std::vector<std::string> urls) {
    EtcdOptions options;
    options.urls = std::move(urls);
    return options;
  }

  static awaitable<void> stand_still_and_tell(KeyReconciler& reconciler, bool& done) {
    co_await reconciler.stand_still();
    done = true;
  }

  static awaitable<void> withdraw_and_tell(KeyReconciler& reconciler, Clock::time_point deadline,
                                           bool& done) {
    co_await reconciler.withdraw(deadline);
    done = true;
  }

  asio::io_context io_{1};
  EtcdClient client_;
  KeyReconciler reconciler_;
};

inline bool Turning::until(const std::function<bool()>& condition, Clock::duration limit) {
  const auto deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    for (auto* keep : keeps_) keep->turn(std::chrono::milliseconds(10));
  }
  return true;
}

// The same keys through either API, behind the reconciler's back.
struct Etcd {
  const EtcdProcess& process;
  EtcdApi api;

  void put(const std::string& key, const std::string& value, int ttl = 0) const {
    api == EtcdApi::kV2 ? process.put_v2(key, value, ttl) : process.put_v3(key, value, ttl);
  }
  void remove(const std::string& key) const {
    api == EtcdApi::kV2 ? process.remove_v2(key) : process.remove_v3(key);
  }
  std::optional<std::string> get(const std::string& key) const {
    return api == EtcdApi::kV2 ? process.get_v2(key) : process.get_v3(key);
  }
};

}  // namespace ambbpf::test
