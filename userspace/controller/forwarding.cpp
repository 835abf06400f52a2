// SPDX-License-Identifier: Apache-2.0
#include "userspace/controller/forwarding.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/support/log.h"

namespace ambbpf {
namespace {

// Takes out the first one that is `asked` for, if there is any.
template <class Listening>
std::optional<Listening> take(std::vector<Listening>& all, const tcp::endpoint& asked) {
  const auto found = std::ranges::find(all, asked, &Listening::asked);
  if (found == all.end()) return std::nullopt;
  std::optional<Listening> taken(std::move(*found));
  all.erase(found);
  return taken;
}

// Empty: consumers may as well be sent straight to its endpoints.
std::string why_only_by_proxy(const ServiceSettings& settings) {
  if (settings.max_connections) return "only the proxy counts for max_connections";
  if (settings.dial.most_per_endpoint != kAnyNumber)
    return "only the proxy counts for max_connections_per_endpoint";
  if (settings.clients.limits_anyone()) return "only the proxy looks at who a client is";
  if (settings.time_limits.any()) return "only the proxy ends connections when their time is over";
  if (settings.proxy.is_used()) return "only the proxy reads and sends PROXY headers";
  if (!policy_named(settings.policy)->is_by_turn)
    return fmt::format("only the proxy can follow the policy {}", settings.policy);
  return {};
}

}  // namespace

Result<std::unique_ptr<Forwarding>> Forwarding::create(asio::io_context& io,
                                                       const ProcessSettings& settings) {
  auto workers = Workers::create(settings);
  if (!workers) return tl::unexpected(workers.error());
  return std::unique_ptr<Forwarding>(new Forwarding(io, std::move(*workers), settings));
}

Result<Forwarding::NewListeners> Forwarding::open_listeners(
    const std::vector<ServiceSettings>& services) {
  load_direct(services);
  std::vector<tcp::endpoint> going;
  for (const auto& listener : listeners_) going.push_back(listener.asked);
  std::vector<tcp::endpoint> coming;
  for (const auto& service : services)
    for (const auto& asked : service.listen)
      if (const auto present = std::ranges::find(going, asked); present != going.end())
        going.erase(present);
      else
        coming.push_back(asked);

  NewListeners opened;
  for (const auto& asked : coming) {
    const bool replaces = std::ranges::any_of(
        going, [&asked](const auto& address) { return address.port() == asked.port(); });
    auto listeners = listen_on(asked, workers_->size(), replaces ? Beside::kOurs : Beside::kNobody);
    if (!listeners) return tl::unexpected(listeners.error());
    opened.push_back({asked, std::move(*listeners)});
  }
  return opened;
}

void Forwarding::change(const std::vector<ServiceSettings>& services, const Origins& origins,
                        NewListeners opened) {
  const auto gone = change_services(services);
  limit_connections();
  change_listeners(std::move(opened));
  change_direct(gone);
  for (const auto& served : served_)
    served->sources->change(feeds_of(served->settings.sources, origins));
  judge_endpoints();
}

// The sources of a service that is removed end; what they have published stays, for clients that
// the kernel has let in already.
std::vector<std::shared_ptr<Service>> Forwarding::change_services(
    const std::vector<ServiceSettings>& wanted) {
  auto before = std::exchange(served_, {});
  for (const auto& settings : wanted) {
    const auto known = std::ranges::find_if(
        before, [&](const auto& served) { return served->settings.name == settings.name; });
    if (known == before.end()) {
      served_.push_back(make_served(settings.name));
    } else {
      served_.push_back(std::move(*known));
      before.erase(known);
    }
    served_.back()->settings = settings;
    served_.back()->service->choose_by({policy_named(settings.policy), settings.zone,
                                        settings.zone_spill, settings.max_ejected,
                                        settings.eject_resets, settings.slow_start});
    served_.back()->sources->give_grace(settings.grace);
    served_.back()->removals->change(settings.removal);
    served_.back()->clients->change(settings.clients);
    served_.back()->checks->change(settings.check, settings.proxy.to_backend);
  }
  std::vector<std::shared_ptr<Service>> gone;
  for (const auto& served : before) gone.push_back(served->service);
  std::ranges::copy(gone, std::back_inserter(removed_));
  return gone;
}

std::shared_ptr<Forwarding::Served> Forwarding::make_served(const std::string& name) {
  auto served = std::make_shared<Served>();
  served->service = std::make_shared<Service>(name);
  served->sources = std::make_unique<ServiceSources>(io_, served->service);
  served->removals = std::make_unique<Removals>(
      io_, served->service, [this, &service = *served->service](const auto& backends) {
        reset_connections(service, backends, EndReason::kEndpointRemoved);
      });
  served->checks = std::make_unique<HealthChecks>(io_, served->service, check_places_);
  served->service->reject_by(
      [own = own_listeners_](const tcp::endpoint& address) { return own->objection_to(address); });
  // Workers report a failed connect from their threads; sources live on this one.
  served->service->on_doubt([&io = io_, weak = std::weak_ptr(served)] {
    asio::post(io, [weak] {
      if (const auto alive = weak.lock()) alive->sources->doubt();
    });
  });
  return served;
}

void Forwarding::change_listeners(NewListeners opened) {
  auto before = std::exchange(listeners_, {});
  for (const auto& served : served_) {
    const auto as_wanted = serving(*served);
    for (const auto& asked : served->settings.listen) {
      auto present = take(before, asked);
      if (!present) {
        listen(std::move(*take(opened, asked)), as_wanted);
        continue;
      }
      if (present->serving != as_wanted) workers_->serve_otherwise(present->id, as_wanted);
      present->serving = as_wanted;
      listeners_.push_back(std::move(*present));
    }
  }
  for (const auto& gone : before) {
    workers_->stop_serving(gone.id);
    own_listeners_->remove(gone.address);
  }
}

void Forwarding::listen(NewListener opened, const Serving& serving) {
  const auto address = opened.opened.address;
  own_listeners_->add(address);
  listeners_.push_back({++last_listener_, opened.asked, address, serving});
  workers_->serve(last_listener_, std::move(opened.opened.sockets), serving);
}

void Forwarding::limit_connections() {
  std::size_t listeners = 0;
  for (const auto& served : served_) listeners += served->settings.listen.size();
  const auto taken = descriptors_before_ + static_cast<int>(listeners * workers_->size());
  const auto most = connections_for_each(workers_->budget(), taken, served_.size());
  for (const auto& served : served_)
    served->service->limit_connections(served->settings.max_connections.value_or(most));
}

// Consumers of a service that is no longer direct, or cannot be, reach its listeners.
void Forwarding::change_direct(const std::vector<std::shared_ptr<Service>>& gone) {
  for (const auto& served : served_) {
    auto& service = served->service;
    served->why_not_direct.clear();
    if (served->settings.direct == DirectMode::kOff) {
      if (direct_) direct_->stop_serving(*service);
      continue;
    }
    served->why_not_direct = why_not_direct_;
    if (!direct_) continue;
    const auto done = serve_direct(*served);
    if (done) continue;
    served->why_not_direct = done.error().message();
    log::warn("service {}: consumers go by the proxy: {}", service->name(), served->why_not_direct);
    direct_->stop_serving(*service);
  }
  if (!direct_) return;
  for (const auto& service : gone) direct_->stop_serving(*service);
}

Result<void> Forwarding::serve_direct(const Served& served) {
  const auto& settings = served.settings;
  if (const auto why = why_only_by_proxy(settings); !why.empty()) return fail(why);
  std::vector<tcp::endpoint> addresses;
  for (const auto& listener : listeners_)
    if (listener.serving.service == served.service) addresses.push_back(listener.address);
  return direct_->serve(served.service, addresses, settings.dial.connect_timeout,
                        settings.direct_watch);
}

void Forwarding::reset_connections(const Service& service, const Removals::Backends& backends,
                                   EndReason reason) {
  for (const auto& backend : backends) workers_->reset(backend, reason);
  if (!direct_) return;
  if (const auto done = direct_->reset(service, backends); !done)
    log::warn("service {}: direct connections that were to be reset may go on: {}", service.name(),
              done.error().message());
}

void Forwarding::load_direct(const std::vector<ServiceSettings>& services) {
  const auto asked = [&services](DirectMode mode) {
    return std::ranges::find(services, mode, &ServiceSettings::direct) != services.end();
  };
  if (direct_ || !why_not_direct_.empty()) return;
  if (!asked(DirectMode::kOn) && !asked(DirectMode::kAuto)) return;
  auto made = Direct::create(io_, direct_options_);
  if (made) {
    direct_ = std::move(*made);
    log::info("direct: consumers below the cgroup {} connect straight to endpoints",
              direct_->cgroup());
    return;
  }
  why_not_direct_ = made.error().message();
  const auto level = asked(DirectMode::kOn) ? spdlog::level::warn : spdlog::level::info;
  spdlog::log(level, "direct: all consumers go by the proxy: {}", why_not_direct_);
}

Serving Forwarding::serving(const Served& served) const {
  auto dial = served.settings.dial;
  dial.descriptors_below = workers_->budget().connections_below;
  return {served.service,
          dial,
          served.settings.keepalive,
          served.settings.proxy,
          served.settings.clients.limits_anyone() ? served.clients : nullptr,
          served.settings.time_limits,
          served.settings.refuse};
}

Forwarding::~Forwarding() {
  workers_.reset();
  if (access_log_) access_log_->finish(std::chrono::seconds(1));
}

Result<void> Forwarding::log_access(const AccessLogSettings& settings) {
  if (settings == (access_log_ ? access_log_->settings() : AccessLogSettings())) return {};
  std::shared_ptr<AccessLog> log;
  if (!settings.target.empty()) {
    auto begun = AccessLog::begin(settings, access_counts_);
    if (!begun) return tl::unexpected(begun.error());
    log = std::move(*begun);
  }
  access_log_ = std::move(log);
  workers_->log_access(access_log_);
  return {};
}

bool Forwarding::reopen_access_log() { return access_log_ && access_log_->reopen(); }

bool Forwarding::settle() {
  bool settled = true;
  for (const auto& served : served_) settled = served->sources->settle() && settled;
  return settled;
}

void Forwarding::judge_endpoints() {
  for (const auto& served : served_) served->service->judge_again();
  // A worker that has yet to close its listener may still take connections in.
  std::erase_if(removed_, [](const auto& service) { return service.use_count() == 1; });
}

std::uint64_t Forwarding::open_connections() const {
  std::uint64_t open = 0;
  for (const auto& served : served_)
    open += served->service->connections_now + served->service->line_for_admission.length();
  for (const auto& service : removed_) open += service->connections_now;
  return open;
}

}  // namespace ambbpf
