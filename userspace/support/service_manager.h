// SPDX-License-Identifier: Apache-2.0
// What a process tells the service manager that started it: systemd with Type=notify or, from 253
// on, Type=notify-reload, or whoever else speaks sd_notify(3).
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "userspace/support/asio.h"

namespace ambbpf {

// What the service manager is told of. Called on the thread of the `io` given to ready().
struct ServiceAnswers {
  std::function<std::string()> state;  // one line of plain text, for `systemctl status`
  // Returns when every loop of the process but that of `io` has turned: not while one of them
  // hangs. Empty where there is no other.
  std::function<awaitable<void>()> turn_other_loops;
};

// Without a service manager that wants to hear ($NOTIFY_SOCKET) nothing is sent and nothing runs.
class ServiceManager {
 public:
  explicit ServiceManager(ServiceAnswers answers) : answers_(std::move(answers)) {}
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  // READY=1 in the first turn of `io`. From there on the state is told whenever it is another, and
  // the watchdog, where there is one, is fed as long as all loops turn. *this outlives the run.
  void ready(asio::io_context& io);

  // RELOADING=1, before the configuration is read again, and READY=1 afterwards, whatever came of
  // it: until then the service manager takes it for reloading.
  void reloading();
  void reloaded() { tell_what_is_new(); }

  // STOPPING=1, to be over within `at_most` unless something hangs.
  void stopping(std::chrono::milliseconds at_most);

 private:
  static awaitable<void> tell_state(ServiceManager& self);
  static awaitable<void> feed_watchdog(ServiceManager& self, Clock::duration limit);
  void tell_what_is_new();
  bool send(const std::string& message);  // whether it was taken

  const ServiceAnswers answers_;
  bool ready_told_ = false;
  std::string state_told_;
  bool failure_told_ = false;
};

}  // namespace ambbpf
