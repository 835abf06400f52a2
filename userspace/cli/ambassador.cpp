// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/ambassador.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "userspace/admin/admin_paths.h"
#include "userspace/admin/plain_text.h"
#include "userspace/cli/descriptor_budget.h"
#include "userspace/cli/report.h"
#include "userspace/proxy/listen.h"
#include "userspace/support/log.h"
#include "userspace/support/quote.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr auto kTimeToEnd = 5s;  // for what comes after draining; takes a fraction of a second
constexpr auto kBetweenJudgements = 5s;

// A slot for each descriptor that there can be, up to a size that costs some 20 MB a thread.
std::uint32_t slots_for(rlim_t descriptors) {
  return static_cast<std::uint32_t>(std::clamp<rlim_t>(descriptors, 1024, 131072));
}

}  // namespace

Result<std::unique_ptr<Ambassador>> Ambassador::create(std::string verb, const Settings& settings,
                                                       const std::vector<Served>& served) {
  std::unique_ptr<Ambassador> ambassador(new Ambassador(std::move(verb), settings));
  const auto ready = ambassador->choose_engine()
                         .and_then([&] { return ambassador->start_workers(served); })
                         .and_then([&] { return ambassador->open_admin(); });
  if (!ready) return tl::unexpected(ready.error());
  return ambassador;
}

Ambassador::Ambassador(std::string verb, const Settings& settings)
    : verb_(std::move(verb)), settings_(settings) {}

Ambassador::~Ambassador() = default;

Result<void> Ambassador::choose_engine() {
  auto choice = settings_.process.engine ? engine_that_was_asked_for(*settings_.process.engine)
                                         : best_engine();
  if (!choice) return tl::unexpected(choice.error());
  engine_ = std::move(*choice);
  for (const auto& trial : engine_.trials)
    if (!trial.usable())
      log::warn("engine {} cannot be used: {}{}{}", name_of(trial.engine), trial.refusal,
                trial.advice.empty() ? "" : "; ", trial.advice);
  return {};
}

Result<void> Ambassador::start_workers(const std::vector<Served>& served) {
  const auto limit = raise_descriptor_limit();
  const auto budget = divide_descriptors(limit, served.size());
  const RelayOptions relay{.engine = engine_.engine,
                           .promotion = {},
                           .slots = slots_for(limit),
                           .pipes_below = budget.pipes_below};
  auto dial = settings_.services.front().dial;
  dial.descriptors_below = budget.connections_below;
  for (unsigned i = 0; i < settings_.process.threads; ++i) {
    auto worker = Worker::create(relay);
    if (!worker) return tl::unexpected(worker.error());
    workers_.push_back(std::move(*worker));
  }
  for (const auto& [name, listen] : served) {
    auto listeners = listen_on(listen, settings_.process.threads);
    if (!listeners) return tl::unexpected(listeners.error());
    auto& entry = entries_.emplace_back();
    entry.service = std::make_shared<Service>(name);
    entry.listen = listeners->address;
    entry.service->reject_by(
        [this](const tcp::endpoint& address) { return own_listeners_.objection_to(address); });
    own_listeners_.add(entry.listen);
    for (std::size_t i = 0; i < workers_.size(); ++i)
      workers_[i]->serve(entries_.size(), std::move(listeners->sockets[i]),
                         {entry.service, dial, settings_.services.front().keepalive});
  }
  const auto most = settings_.services.front().max_connections.value_or(
      connections_for_each(budget, descriptors_in_use(), entries_.size()));
  for (const auto& entry : entries_) entry.service->limit_connections(most);
  return {};
}

Result<void> Ambassador::open_admin() {
  auto path = admin_path(settings_.process.admin, verb_);
  if (!path) return tl::unexpected(path.error());
  AdminAnswers answers{.status = [this] { return status(*this); },
                       .not_ready = [this] { return not_ready(); }};
  auto admin = AdminServer::open(io_, std::move(*path), std::move(answers));
  if (!admin) return tl::unexpected(admin.error());
  admin_ = std::move(*admin);
  return {};
}

void Ambassador::follow(std::size_t service, std::unique_ptr<Source> source) {
  auto& entry = entries_[service];
  spawn(io_, source->run(entry.service->way_in(entry.service->add_source())));
  entry.sources.push_back(std::move(source));
}

void Ambassador::run() {
  for (auto& entry : entries_) {
    look_again_on_doubt(entry);
    log::info("{}: service {} on {}", verb_, entry.service->name(), to_string(entry.listen));
  }
  for (const auto& worker : workers_) worker->start();
  log::info("{}: engine {}, {} thread{}, admin socket {}", verb_, name_of(engine_.engine),
            workers_.size(), workers_.size() == 1 ? "" : "s", admin_->path().string());
  // Whether a source has answered does not count: clients are held until one does, and at boot a
  // unit must not fail for an etcd that is not up yet.
  service_manager_.ready(io_);
  spawn(io_, judge_endpoints(*this));
  spawn(io_, serve_until_signal(*this));
  io_.run();
  workers_.clear();
  for (auto& entry : entries_) entry.sources.clear();  // before their catalogues
}

// Workers report a failed connect from their threads; sources live on this one.
void Ambassador::look_again_on_doubt(Entry& entry) {
  entry.service->on_doubt([this, &sources = entry.sources] {
    asio::post(io_, [&sources] {
      for (const auto& source : sources) source->doubt();
    });
  });
}

// The host's addresses come and go, and with them what is a listener of our own.
awaitable<void> Ambassador::judge_endpoints(Ambassador& self) {
  for (;;) {
    co_await sleep_for(kBetweenJudgements);
    for (const auto& entry : self.entries_) entry.service->judge_again();
  }
}

awaitable<void> Ambassador::serve_until_signal(Ambassador& self) {
  co_await self.signals_.async_wait(as_tuple);
  self.draining_ = true;
  self.service_manager_.stopping(self.settings_.process.drain + kTimeToEnd);
  for (const auto& worker : self.workers_) worker->stop_accepting();
  spawn(self.io_, drain(self));
  co_await self.signals_.async_wait(as_tuple);
  log::warn("{}: second signal, not waiting for open connections", self.verb_);
  self.io_.stop();
}

awaitable<void> Ambassador::drain(Ambassador& self) {
  const auto deadline = Clock::now() + self.settings_.process.drain;
  if (const auto open = self.open_connections(); open > 0)
    log::info("{}: stopping; {} may go on for {} ms", self.verb_, counted(open, "open connection"),
              self.settings_.process.drain.count());
  else
    log::info("{}: stopping", self.verb_);
  while (self.open_connections() > 0 && Clock::now() < deadline) co_await sleep_for(20ms);
  if (const auto open = self.open_connections(); open > 0) {
    log::warn("{}: the deadline is over: {} reset", self.verb_, counted(open, "connection"));
    for (const auto& worker : self.workers_) worker->reset_all();
    co_await sleep_for(100ms);  // for the workers to do so; nothing depends on it
  }
  self.io_.stop();
}

std::uint64_t Ambassador::open_connections() const {
  std::uint64_t open = 0;
  for (const auto& entry : entries_) open += entry.service->connections_now;
  return open;
}

std::string Ambassador::not_ready() const {
  if (draining_) return "stopping";
  for (const auto& entry : entries_) {
    const bool heard = std::any_of(entry.sources.begin(), entry.sources.end(),
                                   [](const auto& source) { return source->status().heard_at; });
    if (!heard) return fmt::format("service {}: no source has answered yet", entry.service->name());
  }
  return {};
}

std::string Ambassador::state() const {
  const auto why_not = not_ready();
  return printable(
      fmt::format("engine {}; {}", name_of(engine_.engine), why_not.empty() ? "ready" : why_not));
}

awaitable<void> Ambassador::turn_workers(Ambassador& self) {
  for (const auto& worker : self.workers_) co_await worker->turn();
}

awaitable<std::string> Ambassador::status(Ambassador& self) {
  RelayCounts counts;
  for (const auto& worker : self.workers_) counts += co_await worker->counts();
  co_return to_json(self.report(counts));
}

StatusReport Ambassador::report(const RelayCounts& counts) const {
  const auto now = Clock::now();
  StatusReport report;
  report.version = AMBBPF_VERSION;
  report.pid = static_cast<std::uint64_t>(::getpid());
  report.verb = verb_;
  report.uptime_ms = milliseconds_between(started_, now);
  report.draining = draining_;
  report.threads = workers_.size();
  report_engine(engine_, report);
  for (const auto& entry : entries_) {
    auto& service = report.services.emplace_back(report_service(*entry.service, now));
    service.listen = to_string(entry.listen);
    for (const auto& source : entry.sources)
      service.sources.push_back(report_source(source->status(), now));
  }
  report.connections = report_connections(counts);
  return report;
}

}  // namespace ambbpf
