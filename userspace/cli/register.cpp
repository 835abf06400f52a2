// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <boost/asio/signal_set.hpp>

#include "userspace/admin/admin_paths.h"
#include "userspace/admin/plain_text.h"
#include "userspace/admin/server.h"
#include "userspace/cli/ignored_signals.h"
#include "userspace/cli/report.h"
#include "userspace/cli/verbs.h"
#include "userspace/docker/follower.h"
#include "userspace/registration/advertised_address.h"
#include "userspace/registration/key_reconciler.h"
#include "userspace/registration/planner.h"
#include "userspace/support/log.h"
#include "userspace/support/service_manager.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;

constexpr auto kWithdrawal = 5s;  // at most, for the keys to be removed

// A running registrar: Docker tells, the plan is made anew, etcd is kept so. One thread.
class Registrar {
 public:
  explicit Registrar(const Settings& settings)
      : settings_(settings),
        etcd_(io_.get_executor(), etcd().access, etcd().user),
        docker_(io_.get_executor(), settings_.dockers.front().address),
        reconciler_(etcd_, etcd().api, etcd().options, registration().ttl),
        planner_(rules(), [this](const WantedKeys& keys, const Reasons& why_not) {
          reconciler_.want(keys, why_not);
        }) {}

  Result<void> open_admin();
  void run();

 private:
  const EtcdSettings& etcd() const { return settings_.etcds.front(); }
  const RegistrationSettings& registration() const { return settings_.registrations.front(); }
  PlanRules rules() const;
  static awaitable<void> advertise(Registrar& self);
  static awaitable<void> name_host(Registrar& self);
  static awaitable<void> follow_docker(Registrar& self);
  static awaitable<void> serve_until_signal(Registrar& self);
  static awaitable<void> withdraw(Registrar& self);
  static awaitable<std::string> status(Registrar& self);
  std::string not_ready() const;
  std::string state() const;

  const Settings settings_;
  const Clock::time_point started_ = Clock::now();
  bool stopping_ = false;

  asio::io_context io_{1};
  asio::signal_set signals_{io_, SIGTERM, SIGINT};
  IgnoredSignals ignored_signals_{io_};
  EtcdClient etcd_;
  DockerFollower docker_;
  KeyReconciler reconciler_;
  RegistrationPlanner planner_;
  std::unique_ptr<AdminServer> admin_;
  ServiceManager service_manager_{{.state = [this] { return state(); }, .turn_other_loops = {}}};
};

PlanRules Registrar::rules() const {
  return {.only = registration().only,
          .prefix = etcd().options.prefix,
          .advertised = registration().advertise.value_or(asio::ip::address()),
          .host_name = {},
          .ignore_health = registration().ignore_health};
}

Result<void> Registrar::open_admin() {
  auto path = admin_path(settings_.process.admin, "register");
  if (!path) return tl::unexpected(path.error());
  AdminAnswers answers{.status = [this] { return status(*this); },
                       .not_ready = [this] { return not_ready(); }};
  auto admin = AdminServer::open(io_, std::move(*path), std::move(answers));
  if (!admin) return tl::unexpected(admin.error());
  admin_ = std::move(*admin);
  return {};
}

void Registrar::run() {
  log::info("register: {}, docker {}, admin socket {}",
            registration().only ? "container " + registration().only->container
                                : "all labelled containers",
            settings_.dockers.front().address.name, admin_->path().string());
  if (registration().advertise)
    log::info("advertising {}", registration().advertise->to_string());
  else
    spawn(io_, advertise(*this));
  if (!registration().only) spawn(io_, name_host(*this));
  spawn(io_, follow_docker(*this));
  spawn(io_, reconciler_.run());
  service_manager_.ready(io_);  // Docker and etcd are waited for in operation
  spawn(io_, serve_until_signal(*this));
  io_.run();
}

void tell_of(const AdvertisedAddress& found) {
  const auto address = found.address.to_string();
  log::info("advertising {}: {}", address, found.why);
  if (found.address.is_loopback())
    log::warn(
        "every other host that reads {} in etcd would connect to itself: --advertise ADDRESS "
        "sets an address of this host that others can reach",
        address);
}

// At boot the network may come up after us.
awaitable<void> Registrar::advertise(Registrar& self) {
  Backoff backoff(500ms, 10s);
  std::string told;
  for (;;) {
    const auto found = co_await find_advertised_address(self.etcd().options.urls);
    if (found) {
      tell_of(*found);
      self.planner_.advertise(found->address);
      co_return;
    }
    const auto why = found.error().message();
    if (why != told) log::warn("no address to advertise yet (--advertise sets one): {}", why);
    told = why;
    co_await sleep_for(backoff.next());
  }
}

// What fails here fails for the follower as well, which tells of it.
awaitable<void> Registrar::name_host(Registrar& self) {
  DockerApi docker(self.io_.get_executor(), self.settings_.dockers.front().address);
  Backoff backoff(100ms, 5s);
  for (;;) {
    auto name = co_await docker.host_name();
    if (name) {
      self.reconciler_.clear_left_over(
          {.directory = self.etcd().options.prefix, .is_own = [host = *name](const OwnKey& key) {
             return is_of_host(host, key.key, key.value);
           }});
      self.planner_.name_host(std::move(*name));
      co_return;
    }
    co_await sleep_for(backoff.next());
  }
}

awaitable<void> Registrar::follow_docker(Registrar& self) {
  return self.docker_.run([&self](const Containers& containers) {
    if (!self.stopping_) self.planner_.consider(containers);
  });
}

awaitable<void> Registrar::serve_until_signal(Registrar& self) {
  co_await self.signals_.async_wait(as_tuple);
  self.stopping_ = true;
  self.service_manager_.stopping(kWithdrawal + 5s);
  log::info("register: stopping");
  spawn(self.io_, withdraw(self));
  co_await self.signals_.async_wait(as_tuple);
  log::warn("register: second signal, not waiting for etcd");
  self.io_.stop();
}

awaitable<void> Registrar::withdraw(Registrar& self) {
  co_await self.reconciler_.withdraw(Clock::now() + kWithdrawal);
  if (const auto left = self.reconciler_.keys().size(); left > 0)
    log::warn("register: {} could not be removed and will live out the TTL", counted(left, "key"));
  self.io_.stop();
}

std::string Registrar::not_ready() const {
  if (stopping_) return "stopping";
  if (!docker_.status().heard_at) return "docker has not answered yet";
  if (!planner_.plan()) return "this host's address or name is not known yet";
  if (!reconciler_.status().heard_at && !planner_.plan()->wanted().empty())
    return "etcd has not answered yet";
  return {};
}

std::string Registrar::state() const {
  const auto why_not = not_ready();
  return why_not.empty() ? "ready" : why_not;
}

awaitable<std::string> Registrar::status(Registrar& self) {
  const auto now = Clock::now();
  StatusReport report;
  report.version = AMBBPF_VERSION;
  report.pid = static_cast<std::uint64_t>(::getpid());
  report.verb = "register";
  report.uptime_ms = milliseconds_between(self.started_, now);
  report.draining = self.stopping_;
  report.threads = 1;
  auto& registrar = report.registrars.emplace_back(
      report_registrar(self.planner_, self.reconciler_, self.docker_.status(), now));
  registrar.ttl_ms =
      static_cast<std::uint64_t>(std::chrono::milliseconds(self.registration().ttl).count());
  co_return to_json(report);
}

}  // namespace

int run_register(const RegisterOptions& options) {
  log::set_up(options.settings.process.log_level);
  Registrar process(options.settings);
  if (const auto opened = process.open_admin(); !opened) {
    complain(opened.error().message());
    return 1;
  }
  process.run();
  return 0;
}

}  // namespace ambbpf
