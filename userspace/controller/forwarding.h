// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/access/access_log.h"
#include "userspace/admin/connection_report.h"
#include "userspace/admin/order.h"
#include "userspace/admin/status_report.h"
#include "userspace/admin/why_report.h"
#include "userspace/config/settings.h"
#include "userspace/controller/origins.h"
#include "userspace/controller/removals.h"
#include "userspace/controller/service_sources.h"
#include "userspace/controller/workers.h"
#include "userspace/direct/direct.h"
#include "userspace/health/health_checks.h"
#include "userspace/proxy/own_listeners.h"

namespace ambbpf {

// The services that are served: where they listen, what feeds them, who serves them. On the
// controller's thread.
class Forwarding {
 public:
  // `io` outlives *this.
  static Result<std::unique_ptr<Forwarding>> create(asio::io_context& io,
                                                    const ProcessSettings& settings);
  ~Forwarding();  // what the access log is still to have is written, within a second
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;

  // What takes time in a change of services, and the one thing that can be refused: the ports that
  // are new in it.
  struct NewListener {
    tcp::endpoint asked;
    Listeners opened;
  };
  using NewListeners = std::vector<NewListener>;
  Result<NewListeners> open_listeners(const std::vector<ServiceSettings>& services);

  // From now on these services are served, and no others. Open connections go on. A listener that
  // stays takes connections all the time, also when it changes its service. `opened`:
  // open_listeners() of the same services.
  void change(const std::vector<ServiceSettings>& services, const Origins& origins,
              NewListeners opened);

  // From now on; fails, and changes nothing, where the system refuses a thread for it.
  Result<void> log_access(const AccessLogSettings& settings);
  bool reopen_access_log();  // false: there is none in a file

  OrderAnswer carry_out(const Order& order);
  std::vector<std::string> take_back_orders();  // a line for each that there was

  // As ServiceSources have it, of all services.
  bool settle();

  void judge_endpoints();  // the host's addresses come and go, and with them what is our own
  void stop_accepting() { workers_->stop_accepting(); }
  void reset_all() { workers_->reset_all(); }
  awaitable<void> turn_workers() { return workers_->turn(); }

  std::uint64_t open_connections() const;  // of removed services too
  std::string not_ready() const;           // a service that no source has answered for
  const Workers& workers() const { return *workers_; }
  void report(StatusReport& report, Clock::time_point now) const;
  // What the connections do. Fails where no service has the name that was asked for.
  awaitable<Result<ConnectionReport>> list_connections(ConnectionsQuestion question);
  std::optional<WhyReport> why(std::string_view service, Clock::time_point now) const;
  std::vector<std::string> names() const;  // of services
  // "service web on [::]:8080", a line for each.
  std::vector<std::string> summary() const;

 private:
  struct Served {
    ServiceSettings settings;
    std::shared_ptr<Service> service;
    std::unique_ptr<ServiceSources> sources;
    std::unique_ptr<Removals> removals;
    std::unique_ptr<HealthChecks> checks;
    std::shared_ptr<ClientLimits> clients = std::make_shared<ClientLimits>();
    std::string why_not_direct;  // though it was asked for
  };
  struct Listener {
    ListenerId id;
    tcp::endpoint asked;
    tcp::endpoint address;  // with the real port
    Serving serving;
  };

  Forwarding(asio::io_context& io, std::unique_ptr<Workers> workers,
             const ProcessSettings& settings)
      : io_(io),
        workers_(std::move(workers)),
        check_places_(std::make_shared<CheckPlaces>()),
        direct_options_{.cgroup = settings.direct_cgroup,
                        .except_cgroups = settings.direct_except_cgroups,
                        .except_mark = settings.direct_except_mark,
                        .fail_static = settings.fail_static} {}
  std::shared_ptr<Served> make_served(const std::string& name);
  // Returns those that are gone.
  std::vector<std::shared_ptr<Service>> change_services(const std::vector<ServiceSettings>& wanted);
  const Served* served_named(std::string_view service) const;  // null: there is none
  void change_listeners(NewListeners opened);
  void listen(NewListener opened, const Serving& serving);
  void limit_connections();
  void change_direct(const std::vector<std::shared_ptr<Service>>& gone);
  Result<void> serve_direct(const Served& served);
  void load_direct(const std::vector<ServiceSettings>& services);  // if one wants it; tried once
  void reset_connections(const Service& service, const Removals::Backends& backends,
                         EndReason reason);
  void report_access_log(StatusReport& report, Clock::time_point now) const;
  void report_direct(const Served& served, StatusReport::Service& report) const;
  Serving serving(const Served& served) const;
  std::vector<std::string> addresses_of(const Service& service) const;
  // Those that were removed, and have open connections, too. Empty: all.
  std::vector<std::shared_ptr<const Service>> services_named(const std::string& name) const;
  std::uint64_t direct_connections(const Service& service) const;

  asio::io_context& io_;
  std::unique_ptr<Workers> workers_;
  const std::shared_ptr<CheckPlaces> check_places_;
  const int descriptors_before_ = descriptors_in_use();
  // Of the services as well, which may outlive *this.
  const std::shared_ptr<OwnListeners> own_listeners_ = std::make_shared<OwnListeners>();
  ListenerId last_listener_ = 0;
  std::vector<Listener> listeners_;
  std::shared_ptr<AccessLog> access_log_;  // null: there is none
  const std::shared_ptr<AccessCounts> access_counts_ = std::make_shared<AccessCounts>();
  const DirectOptions direct_options_;
  std::unique_ptr<Direct> direct_;  // null: nobody has asked for it, or it cannot be had
  std::string why_not_direct_;
  std::vector<std::shared_ptr<Served>> served_;    // in the order of the settings
  std::vector<std::shared_ptr<Service>> removed_;  // that workers still have
};

}  // namespace ambbpf
