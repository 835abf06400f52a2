// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/docker_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/events/event_log.h"
#include "userspace/support/log.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

// Where a container's port is reached from its own host.
Result<tcp::endpoint> direct_address(const Containers& containers, const Container& container,
                                     unsigned short port) {
  const auto* owner = network_owner(containers, container);
  if (!owner) return fail("the container whose network it shares is gone");
  if (owner->network_mode == "host") return tcp::endpoint(asio::ip::address_v4::loopback(), port);
  if (owner->addresses.empty()) return fail("it has no address");
  return tcp::endpoint(owner->addresses.front(), port);
}

SourceStatus::State state_of(DockerStatus::State state) {
  switch (state) {
    case DockerStatus::State::kStarting:
      return SourceStatus::State::kStarting;
    case DockerStatus::State::kFollowing:
      return SourceStatus::State::kFollowing;
    case DockerStatus::State::kFailing:
      break;
  }
  return SourceStatus::State::kFailing;
}

}  // namespace

ContainerEndpoints endpoints_of(const Containers& containers, const std::string& service,
                                const ContainerRules& rules) {
  ContainerEndpoints found;
  for (const auto& [id, container] : containers) {
    if (!why_not_available(container, rules.ignore_health).empty()) continue;
    const auto name = fmt::format("container {}", printable(container.name));
    const auto provided = services_of(container, rules.traefik);
    for (const auto& complaint : provided.complaints) found.rejected.push_back({name, complaint});
    for (const auto& candidate : provided.services) {
      if (candidate.service != service) continue;
      const auto address = direct_address(containers, container, candidate.port);
      if (address)
        found.endpoints.push_back({*address, name, candidate.attributes});
      else
        found.rejected.push_back({name, address.error().message()});
    }
  }
  return found;
}

DockerSource::DockerSource(DockerFollower& follower, std::string service,
                           const ContainerRules& rules)
    : follower_(follower),
      service_(std::move(service)),
      rules_(rules),
      subscriber_(follower.subscribe([this](const Containers& containers) { take(containers); })) {}

// Everything comes through take().
awaitable<void> DockerSource::run(Publish publish) {
  publish_ = std::move(publish);
  if (published_) publish_(*published_, {.what = "the containers of " + follower_.status().from});
  co_await until_cancelled();
  publish_ = {};
}

void DockerSource::take(const Containers& containers) {
  auto [endpoints, rejected] = endpoints_of(containers, service_, rules_);
  for (const auto& value : rejected) {
    if (std::ranges::find(rejected_, value) != rejected_.end()) continue;
    ++rejected_total_;
    log::warn("docker, service {}: {}: {}", printable(service_), value.key, value.reason);
    event_log().record({.service = service_,
                        .kind = std::string(event_kind::kRejected),
                        .outcome = fmt::format("{}: {}", value.key, value.reason)},
                       follower_.cause());
  }
  rejected_ = std::move(rejected);
  if (published_ == endpoints) return;
  published_ = std::move(endpoints);
  if (publish_) publish_(*published_, follower_.cause());
}

SourceStatus DockerSource::status() const {
  const auto& docker = follower_.status();
  SourceStatus status;
  status.kind = "docker";
  status.from = docker.from;
  status.state = state_of(docker.state);
  status.endpoints = published_ ? published_->size() : 0;
  status.heard_at = docker.heard_at;
  status.failed_at = docker.failed_at;
  status.last_error = docker.last_error;
  status.lists = docker.lists;
  status.events = docker.events;
  status.failures = docker.failures;
  status.rejected_total = rejected_total_;
  status.rejected = rejected_;
  return status;
}

std::unique_ptr<Source> DockerCatalogue::source_of(std::string service) {
  return std::make_unique<DockerSource>(follower_, std::move(service), rules_);
}

}  // namespace ambbpf
