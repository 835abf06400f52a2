// SPDX-License-Identifier: Apache-2.0
#include "userspace/controller/controller.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "userspace/admin/admin_paths.h"
#include "userspace/config/load.h"
#include "userspace/controller/changes.h"
#include "userspace/events/event_log.h"
#include "userspace/proxy/listen.h"
#include "userspace/support/log.h"
#include "userspace/support/plain_text.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr auto kTimeToEnd = 5s;  // for what comes after draining; takes a fraction of a second
constexpr auto kBetweenJudgements = 5s;
constexpr auto kBetweenLooks = 50ms;  // whether what is replaced can go

std::string lines_of(const std::vector<std::string>& lines) {
  return fmt::format("{}\n", fmt::join(lines, "\n"));
}

awaitable<void> reset_all(Forwarding& forwarding) {
  forwarding.reset_all();
  co_await sleep_for(100ms);  // for the workers to do so; nothing depends on it
}

}  // namespace

Result<std::unique_ptr<Controller>> Controller::create(Origin origin, Settings settings) {
  log::set_up(settings.process.log_level, settings.process.log_format);
  std::unique_ptr<Controller> controller(new Controller(std::move(origin)));
  const auto ready = controller->open_admin(settings.process).and_then([&] {
    return controller->apply(std::move(settings));
  });
  if (!ready) return tl::unexpected(ready.error());
  const auto& in_force = controller->in_force_;
  event_log().record(
      {.kind = std::string(event_kind::kStarted),
       .cause = controller->origin_.file ? controller->origin_.file->string() : "the command line",
       .outcome = fmt::format("{} {}, process {}: {}, {}", controller->origin_.verb, AMBBPF_VERSION,
                              ::getpid(), counted(in_force.services.size(), "service"),
                              counted(in_force.registrations.size(), "registration"))});
  return controller;
}

Controller::Controller(Origin origin) : origin_(std::move(origin)) {
  std::function<void()> reload_file;
  if (origin_.file) reload_file = [this] { reload("SIGHUP"); };
  signals_ = std::make_unique<Signals>(io_, std::move(reload_file), [this] {
    return forwarding_ && forwarding_->reopen_access_log();
  });
}

Controller::~Controller() = default;

Result<void> Controller::open_admin(const ProcessSettings& settings) {
  auto path = admin_path(settings.admin, origin_.verb);
  if (!path) return tl::unexpected(path.error());
  auto admin = AdminServer::open(io_, *path, answers());
  if (!admin) return tl::unexpected(admin.error());
  admin_ = std::move(*admin);
  admin_summary_.push_back("admin socket " + path->string());
  return open_admin_by_network(settings);
}

Result<void> Controller::open_admin_by_network(const ProcessSettings& settings) {
  // Of the descriptors that are kept back it takes an eighth at most.
  constexpr AdminLimits kLimits{.connections = 8};
  if (!settings.admin_listen) return {};
  auto listening = listen_on(*settings.admin_listen, 1);
  if (!listening) return fail("admin_listen: " + listening.error().what, listening.error().code);
  admin_by_network_ = AdminServer::to_network(io_, std::move(listening->sockets.front()),
                                              settings.admin_names, answers(), kLimits);
  admin_summary_.push_back(fmt::format("status page on http://{}/", to_string(listening->address)));
  admin_summary_.push_back(
      fmt::format("metrics on http://{}/metrics", to_string(listening->address)));
  return {};
}

Result<void> Controller::apply(Settings wanted) {
  if (generation_ > 0)
    if (auto allowed = check_change(in_force_.process, wanted.process); !allowed) return allowed;
  std::unique_ptr<Forwarding> made;
  if (!forwarding_ && !wanted.services.empty()) {
    auto forwarding = Forwarding::create(io_, wanted.process);
    if (!forwarding) return tl::unexpected(forwarding.error());
    made = std::move(*forwarding);
  }
  auto* forwarding = made ? made.get() : forwarding_.get();
  Forwarding::NewListeners listeners;
  if (forwarding) {
    auto opened = forwarding->open_listeners(wanted.services);
    if (!opened) return tl::unexpected(opened.error());
    listeners = std::move(*opened);
    if (auto begun = forwarding->log_access(wanted.process.access_log); !begun) return begun;
  }
  // From here on nothing can be refused.
  if (made) forwarding_ = std::move(made);
  origins_ = origins_for(wanted, origins_, io_);
  if (forwarding_) forwarding_->change(wanted.services, origins_, std::move(listeners));
  registrations_->change(wanted.registrations, origins_);
  log::set_up(wanted.process.log_level, wanted.process.log_format);
  if (generation_ > 0) record_services(in_force_.services, wanted.services);
  in_force_ = std::move(wanted);
  ++generation_;
  applied_at_ = Clock::now();
  if (!std::exchange(settling_, true)) spawn(io_, settle(*this));
  return {};
}

// Of what is replaced, each goes when its successor can do without it.
awaitable<void> Controller::settle(Controller& self) {
  while (!self.stopping_) {
    const bool served = !self.forwarding_ || self.forwarding_->settle();
    const bool registered = self.registrations_->settle();
    if (served && registered) break;
    co_await sleep_for(kBetweenLooks);
  }
  self.settling_ = false;
}

void Controller::record_services(const std::vector<ServiceSettings>& before,
                                 const std::vector<ServiceSettings>& after) const {
  const auto record_beyond = [this](const auto& these, const auto& others, std::string_view kind) {
    for (const auto& service : these)
      if (std::ranges::find(others, service.name, &ServiceSettings::name) == others.end())
        event_log().record({.service = service.name,
                            .kind = std::string(kind),
                            .cause = origin_.file ? origin_.file->string() : "",
                            .outcome = fmt::format("generation {}", generation_ + 1)});
  };
  record_beyond(after, before, event_kind::kServiceAdded);
  record_beyond(before, after, event_kind::kServiceRemoved);
}

ReloadAnswer Controller::reload(std::string_view asked_by) {
  const Cause cause{.what = fmt::format("{}: {}", asked_by, origin_.file->string())};
  if (stopping_) return refused({"this process is stopping"}, cause);
  service_manager_.reloading();
  auto answer = load_again(cause);
  service_manager_.reloaded();
  return answer;
}

ReloadAnswer Controller::refused(const std::vector<std::string>& why, const Cause& cause) {
  failed_at_ = Clock::now();
  last_error_ = why.size() == 1 ? why[0] : fmt::format("{} (and {} more)", why[0], why.size() - 1);
  for (const auto& line : why) log::error("{}", line);
  log::error("{}: generation {} stays in force", origin_.verb, generation_);
  event_log().record({.kind = std::string(event_kind::kReloadRefused), .outcome = last_error_},
                     cause);
  return ReloadAnswer{false, lines_of(why)};
}

ReloadAnswer Controller::load_again(const Cause& cause) {
  auto loaded = load_settings(*origin_.file);
  if (!loaded) {
    std::vector<std::string> mistakes;
    for (const auto& mistake : loaded.error()) mistakes.push_back(mistake.text());
    return refused(mistakes, cause);
  }
  auto changes = changes_between(in_force_, *loaded);
  if (auto applied = apply(std::move(*loaded)); !applied)
    return refused({fmt::format("{}: {}", origin_.file->string(), applied.error().message())},
                   cause);
  last_error_.clear();
  failed_at_.reset();
  if (forwarding_) std::ranges::move(forwarding_->take_back_orders(), std::back_inserter(changes));
  for (const auto& line : changes) log::info("{}", line);
  auto outcome =
      fmt::format("generation {} is in force: {}", generation_,
                  changes.empty() ? "nothing has changed" : counted(changes.size(), "change"));
  log::info("{}: {}", origin_.verb, outcome);
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - cause.heard);
  event_log().record({.kind = std::string(event_kind::kReload),
                      .outcome = fmt::format("{}{}{}", outcome, changes.empty() ? "" : ": ",
                                             fmt::join(changes, "; ")),
                      .took_us = static_cast<std::uint64_t>(took.count())},
                     cause);
  changes.insert(changes.begin(), std::move(outcome));
  return {true, lines_of(changes)};
}

void Controller::run() {
  if (forwarding_) {
    for (const auto& line : forwarding_->summary()) log::info("{}: {}", origin_.verb, line);
    const auto& workers = forwarding_->workers();
    log::info("{}: engine {}, {}", origin_.verb, name_of(workers.engine().engine),
              counted(workers.size(), "thread"));
  }
  for (const auto& line : registrations_->summary()) log::info("{}: {}", origin_.verb, line);
  for (const auto& line : admin_summary_) log::info("{}: {}", origin_.verb, line);
  // Whether a source has answered does not count: clients are held until one does, and at boot a
  // unit must not fail for an etcd that is not up yet.
  service_manager_.ready(io_);
  spawn(io_, judge_endpoints(*this));
  spawn(io_, keep_history(*this));
  spawn(io_, serve_until_signal(*this));
  io_.run();
}

// The host's addresses come and go, and with them what is a listener of our own.
awaitable<void> Controller::judge_endpoints(Controller& self) {
  while (!self.stopping_) {
    co_await sleep_for(kBetweenJudgements);
    if (self.forwarding_) self.forwarding_->judge_endpoints();
  }
}

// Also while connections are let finish.
awaitable<void> Controller::keep_history(Controller& self) {
  for (;;) {
    self.history_.add(self.traffic(), Clock::now());
    co_await sleep_for(History::kBetween);
  }
}

awaitable<void> Controller::serve_until_signal(Controller& self) {
  co_await self.signals_->told_to_stop();
  self.stopping_ = true;
  const auto longest = std::max<std::chrono::milliseconds>(
      self.forwarding_ ? self.in_force_.process.drain : 0ms, Registrations::kWithdrawal);
  self.service_manager_.stopping(longest + kTimeToEnd);
  spawn(self.io_, wind_up(self));
  co_await self.signals_->told_to_stop();
  log::warn("{}: second signal, not waiting for {}", self.origin_.verb,
            self.forwarding_ ? "open connections" : "etcd");
  if (self.forwarding_) co_await reset_all(*self.forwarding_);
  self.io_.stop();
}

// Keys go first and at once: nobody is to be sent here any more.
awaitable<void> Controller::wind_up(Controller& self) {
  self.registrations_->withdraw_all();
  if (self.forwarding_)
    co_await drain(self);
  else
    log::info("{}: stopping", self.origin_.verb);
  while (!self.registrations_->withdrawn()) co_await sleep_for(20ms);
  self.io_.stop();
}

awaitable<void> Controller::drain(Controller& self) {
  auto& forwarding = *self.forwarding_;
  const auto limit = self.in_force_.process.drain;
  const auto deadline = Clock::now() + limit;
  forwarding.stop_accepting();
  if (const auto open = forwarding.open_connections(); open > 0)
    log::info("{}: stopping; {} may go on for {} ms", self.origin_.verb,
              counted(open, "open connection"), limit.count());
  else
    log::info("{}: stopping", self.origin_.verb);
  while (forwarding.open_connections() > 0 && Clock::now() < deadline) co_await sleep_for(20ms);
  if (const auto open = forwarding.open_connections(); open > 0) {
    log::warn("{}: the deadline is over: {} reset", self.origin_.verb, counted(open, "connection"));
    co_await reset_all(forwarding);
  }
}

awaitable<void> Controller::turn_workers(Controller& self) {
  if (self.forwarding_) co_await self.forwarding_->turn_workers();
}

}  // namespace ambbpf
