// SPDX-License-Identifier: Apache-2.0
// A running ambassador: puts the parts together, and takes them apart again in order.
#pragma once

#include <atomic>
#include <boost/asio/signal_set.hpp>
#include <memory>
#include <string>
#include <vector>

#include "userspace/admin/server.h"
#include "userspace/admin/status_report.h"
#include "userspace/cli/ignored_signals.h"
#include "userspace/config/settings.h"
#include "userspace/dataplane/probe.h"
#include "userspace/discovery/source.h"
#include "userspace/proxy/own_listeners.h"
#include "userspace/proxy/worker.h"
#include "userspace/support/service_manager.h"

namespace ambbpf {

// A service and where it is served.
struct Served {
  std::string service;
  tcp::endpoint listen;
};

// The controller's thread runs everything here; the workers have threads of their own.
class Ambassador {
 public:
  // Everything that can be refused is asked for here, before the first connection is taken: the
  // engine, the ports, the admin socket. `verb`: "proxy" or "forward".
  static Result<std::unique_ptr<Ambassador>> create(std::string verb, const Settings& settings,
                                                    const std::vector<Served>& served);
  ~Ambassador();
  Ambassador(const Ambassador&) = delete;
  Ambassador& operator=(const Ambassador&) = delete;

  asio::io_context& io() { return io_; }

  // Lets `source` say where the service is; `service` counts in the order given to create().
  void follow(std::size_t service, std::unique_ptr<Source> source);

  // Serves until SIGTERM or SIGINT, lets open connections finish until the deadline (a second
  // signal ends the wait), and returns.
  void run();

 private:
  struct Entry {
    std::shared_ptr<Service> service;
    tcp::endpoint listen;
    std::vector<std::unique_ptr<Source>> sources;
  };

  Ambassador(std::string verb, const Settings& settings);
  Result<void> choose_engine();
  Result<void> start_workers(const std::vector<Served>& served);
  Result<void> open_admin();
  void look_again_on_doubt(Entry& entry);

  static awaitable<void> judge_endpoints(Ambassador& self);
  static awaitable<void> serve_until_signal(Ambassador& self);
  static awaitable<void> drain(Ambassador& self);
  static awaitable<std::string> status(Ambassador& self);
  static awaitable<void> turn_workers(Ambassador& self);
  StatusReport report(const RelayCounts& counts) const;
  std::uint64_t open_connections() const;
  std::string not_ready() const;
  std::string state() const;

  const std::string verb_;
  const Settings settings_;
  const Clock::time_point started_ = Clock::now();
  bool draining_ = false;
  EngineChoice engine_;

  asio::io_context io_{1};
  asio::signal_set signals_{io_, SIGTERM, SIGINT};
  IgnoredSignals ignored_signals_{io_};
  OwnListeners own_listeners_;
  std::vector<Entry> entries_;  // outlive the workers
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<AdminServer> admin_;
  ServiceManager service_manager_{{.state = [this] { return state(); },
                                   .turn_other_loops = [this] { return turn_workers(*this); }}};
};

}  // namespace ambbpf
