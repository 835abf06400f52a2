// SPDX-License-Identifier: Apache-2.0
#include "userspace/controller/registrar.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/controller/report.h"
#include "userspace/registration/advertised_address.h"
#include "userspace/support/log.h"
#include "userspace/support/plain_text.h"

namespace ambbpf {

using namespace std::chrono_literals;

Registrar::Registrar(RegistrationSettings settings, std::shared_ptr<EtcdCluster> etcd,
                     std::shared_ptr<DockerEngine> docker)
    : settings_(std::move(settings)),
      etcd_(std::move(etcd)),
      docker_(std::move(docker)),
      reconciler_(etcd_->client(), etcd_->settings().api, etcd_->settings().options, settings_.ttl),
      planner_(rules(), [this](const WantedKeys& keys, const Reasons& why_not) {
        reconciler_.want(keys, why_not);
      }) {}

PlanRules Registrar::rules() const {
  return {.only = settings_.only,
          .prefix = etcd_->settings().options.prefix,
          .advertised = settings_.advertise.value_or(asio::ip::address()),
          .host_name = {},
          .ignore_health = settings_.ignore_health};
}

void Registrar::start(asio::io_context& io, const std::shared_ptr<Registrar>& predecessor) {
  predecessor_ = predecessor;
  reconciler_.before_writing([this] { return stop_predecessors(shared_from_this()); });
  if (settings_.advertise)
    log::info("advertising {}", settings_.advertise->to_string());
  else
    spawn(io, advertise(shared_from_this()));
  if (!settings_.only) spawn(io, name_host(shared_from_this()));
  spawn(io, reconcile(shared_from_this()));
  subscriber_ = docker_->follower().subscribe(
      [this](const Containers& containers) { planner_.consider(containers); });
}

bool Registrar::is_for(const RegistrationSettings& settings, const Origins& origins) const {
  return settings_ == settings && origins.etcds.at(settings.etcd) == etcd_ &&
         origins.dockers.at(settings.docker) == docker_;
}

namespace {

void tell_of(const AdvertisedAddress& found) {
  const auto address = found.address.to_string();
  log::info("advertising {}: {}", address, found.why);
  if (found.address.is_loopback())
    log::warn(
        "every other host that reads {} in etcd would connect to itself: --advertise ADDRESS "
        "sets an address of this host that others can reach",
        address);
}

}  // namespace

// At boot the network may come up after us.
awaitable<void> Registrar::advertise(std::shared_ptr<Registrar> self) {
  Backoff backoff(500ms, 10s);
  std::string told;
  while (self->subscriber_) {
    const auto found = co_await find_advertised_address(self->etcd_->settings().options.urls);
    if (!self->subscriber_) co_return;
    if (found) {
      tell_of(*found);
      self->planner_.advertise(found->address);
      co_return;
    }
    const auto why = found.error().message();
    if (why != told) log::warn("no address to advertise yet (--advertise sets one): {}", why);
    told = why;
    co_await sleep_for(backoff.next());
  }
}

// What fails here fails for the follower as well, which tells of it.
awaitable<void> Registrar::name_host(std::shared_ptr<Registrar> self) {
  DockerApi docker(co_await asio::this_coro::executor, self->docker_->settings().address);
  Backoff backoff(100ms, 5s);
  while (self->subscriber_) {
    auto name = co_await docker.host_name();
    if (!self->subscriber_) co_return;
    if (name) {
      self->reconciler_.clear_left_over({.directory = self->etcd_->settings().options.prefix,
                                         .is_own = [host = *name](const OwnKey& key) {
                                           return is_of_host(host, key.key, key.value);
                                         }});
      self->planner_.name_host(std::move(*name));
      co_return;
    }
    co_await sleep_for(backoff.next());
  }
}

awaitable<void> Registrar::reconcile(std::shared_ptr<Registrar> self) {
  co_await self->reconciler_.run();
}

// One that could not write either has left the keys to its own.
awaitable<void> Registrar::stop_predecessors(std::shared_ptr<Registrar> self) {
  const auto predecessor = std::exchange(self->predecessor_, nullptr);
  if (!predecessor) co_return;
  co_await predecessor->reconciler_.stand_still();
  co_await stop_predecessors(predecessor);
}

awaitable<void> Registrar::withdraw(std::shared_ptr<Registrar> self, Clock::time_point deadline) {
  self->subscriber_.reset();
  co_await self->reconciler_.withdraw(deadline);
  if (const auto left = self->reconciler_.keys().size(); left > 0)
    log::warn("{} could not be removed and will live out the TTL", counted(left, "key"));
}

std::string Registrar::not_ready() const {
  if (!docker_->follower().status().heard_at) return "docker has not answered yet";
  if (!planner_.plan()) return "this host's address or name is not known yet";
  if (!reconciler_.status().heard_at && !planner_.plan()->wanted().empty())
    return "etcd has not answered yet";
  return {};
}

bool Registrar::has_registered() const {
  if (!not_ready().empty()) return false;
  return std::ranges::none_of(reconciler_.keys(), [](const RegisteredKey& key) {
    return key.state == RegisteredKey::State::kPending;
  });
}

StatusReport::Registrar Registrar::report(Clock::time_point now) const {
  auto report = report_registrar(planner_, reconciler_, docker_->follower().status(), now);
  report.name = settings_.name;
  report.ttl_ms = static_cast<std::uint64_t>(std::chrono::milliseconds(settings_.ttl).count());
  return report;
}

std::string Registrar::summary() const {
  return fmt::format(
      "{}, docker {}",
      settings_.only ? "container " + settings_.only->container : "all labelled containers",
      docker_->settings().address.name);
}

}  // namespace ambbpf
