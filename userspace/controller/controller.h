// SPDX-License-Identifier: Apache-2.0
// A running process: what it is asked to do is put in force, changed, and taken back in order.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/admin/history.h"
#include "userspace/admin/server.h"
#include "userspace/admin/status_report.h"
#include "userspace/config/settings.h"
#include "userspace/controller/forwarding.h"
#include "userspace/controller/origins.h"
#include "userspace/controller/registrations.h"
#include "userspace/controller/signals.h"
#include "userspace/support/service_manager.h"

namespace ambbpf {

// All of it runs on the thread that calls run(); the workers have threads of their own.
class Controller {
 public:
  struct Origin {
    std::string verb;                           // "proxy", "forward", "register", "run"
    std::optional<std::filesystem::path> file;  // that the settings come from, to be read again
  };

  // Puts `settings` in force. Everything that can be refused is asked for here, before the first
  // connection is taken: the engine, the ports, the admin socket.
  static Result<std::unique_ptr<Controller>> create(Origin origin, Settings settings);
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // Puts the difference to what is in force into force; what is the same feels nothing. An error
  // has changed nothing.
  Result<void> apply(Settings wanted);

  // Serves until SIGTERM or SIGINT, lets open connections finish until the deadline while keys are
  // removed (a second signal ends the wait), and returns.
  void run();

 private:
  explicit Controller(Origin origin);
  Result<void> open_admin(const ProcessSettings& settings);
  Result<void> open_admin_by_network(const ProcessSettings& settings);
  AdminAnswers answers();
  ReloadAnswer reload(std::string_view asked_by);
  ReloadAnswer load_again(const Cause& cause);
  ReloadAnswer refused(const std::vector<std::string>& why, const Cause& cause);
  void record_services(const std::vector<ServiceSettings>& before,
                       const std::vector<ServiceSettings>& after) const;

  static awaitable<void> settle(Controller& self);
  static awaitable<void> judge_endpoints(Controller& self);
  static awaitable<void> keep_history(Controller& self);
  static awaitable<void> serve_until_signal(Controller& self);
  static awaitable<void> wind_up(Controller& self);
  static awaitable<void> drain(Controller& self);
  static awaitable<void> turn_workers(Controller& self);
  std::string status() const;
  std::string history() const;
  std::string events(std::uint64_t after) const;
  WhyAnswer why(const std::string& service) const;
  OrderAnswer carry_out(const Order& order);
  std::string no_such_service(const std::string& service) const;  // and which there are
  std::string metrics() const;
  StatusReport report() const;
  StatusReport traffic() const;  // of it, what services and connections say
  std::string not_ready() const;
  static awaitable<Result<std::string>> connections(Controller& self, ConnectionsQuestion question);
  std::string state() const;

  // Each uses those before it, and goes before them.
  const Origin origin_;
  const Clock::time_point started_ = Clock::now();
  const std::chrono::system_clock::time_point started_by_the_clock_ =
      std::chrono::system_clock::now();
  asio::io_context io_{1};

  Settings in_force_;
  std::uint64_t generation_ = 0;
  Clock::time_point applied_at_;
  std::optional<Clock::time_point> failed_at_;
  std::string last_error_;  // of the last reload; empty: it was put in force
  History history_;
  bool settling_ = false;
  bool stopping_ = false;

  Origins origins_;                         // used by both that follow
  std::unique_ptr<Forwarding> forwarding_;  // null: there has been no service yet
  std::unique_ptr<Registrations> registrations_ = std::make_unique<Registrations>(io_);
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<AdminServer> admin_by_network_;  // null: not asked for
  std::vector<std::string> admin_summary_;         // where they are, a line each
  ServiceManager service_manager_{{.state = [this] { return state(); },
                                   .turn_other_loops = [this] { return turn_workers(*this); }}};
};

}  // namespace ambbpf
