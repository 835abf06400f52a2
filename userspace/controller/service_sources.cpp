// SPDX-License-Identifier: Apache-2.0
#include "userspace/controller/service_sources.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/discovery/name_source.h"
#include "userspace/discovery/srv_source.h"
#include "userspace/discovery/static_source.h"

namespace ambbpf {
namespace {

using Sources = std::vector<std::unique_ptr<Source>>;

Sources only(std::unique_ptr<Source> source) {
  Sources sources;
  sources.push_back(std::move(source));
  return sources;
}

// A kind of source, a line.
struct MakeSources {
  const std::string& service;

  Sources operator()(const std::shared_ptr<EtcdCluster>& etcd) const {
    return etcd->sources_of(service);
  }
  Sources operator()(const std::shared_ptr<DockerEngine>& docker) const {
    return only(docker->source_of(service));
  }
  Sources operator()(const Resolved<HostAndPort>& feed) const {
    return only(std::make_unique<NameSource>(feed.resolver, feed.name));
  }
  Sources operator()(const Resolved<SrvName>& feed) const {
    return only(std::make_unique<SrvSource>(feed.resolver, feed.name));
  }
  Sources operator()(const StaticEndpoints& endpoints) const {
    return only(std::make_unique<StaticSource>(endpoints));
  }
};

// As a configuration has it.
struct NameOfFeed {
  std::string operator()(const std::shared_ptr<EtcdCluster>& etcd) const {
    return "etcd." + etcd->settings().name;
  }
  std::string operator()(const std::shared_ptr<DockerEngine>& docker) const {
    return "docker." + docker->settings().name;
  }
  std::string operator()(const Resolved<HostAndPort>& feed) const {
    return fmt::format("{}:{}", feed.name.host, feed.name.port);
  }
  std::string operator()(const Resolved<SrvName>& feed) const { return feed.name.name; }
  std::string operator()(const StaticEndpoints&) const { return "endpoints"; }
};

}  // namespace

std::vector<Feed> feeds_of(const SourceSettings& settings, const Origins& origins) {
  std::vector<Feed> feeds;
  for (const auto& name : settings.etcd) feeds.emplace_back(origins.etcds.at(name));
  for (const auto& name : settings.docker) feeds.emplace_back(origins.dockers.at(name));
  for (const auto& target : settings.forward)
    feeds.emplace_back(Resolved<HostAndPort>{origins.resolver, target});
  for (const auto& name : settings.srv)
    feeds.emplace_back(Resolved<SrvName>{origins.resolver, name});
  if (!settings.endpoints.empty()) feeds.emplace_back(settings.endpoints);
  return feeds;
}

struct ServiceSources::Parts {
  const std::shared_ptr<Service> service;
  const Feed feed;
  const std::unique_ptr<Source> source;  // goes before what it is fed from
};

ServiceSources::Working ServiceSources::begin(const Feed& feed) {
  Working working{.feed = feed, .sources = {}};
  const bool has_keys_that_expire = std::holds_alternative<std::shared_ptr<EtcdCluster>>(feed);
  for (auto& source : std::visit(MakeSources{service_->name()}, feed)) {
    std::shared_ptr<Parts> parts(new Parts{service_, feed, std::move(source)});
    const auto id = service_->add_source();
    auto publish = has_keys_that_expire ? grace_.way_in(id) : service_->way_in(id);
    Task task(io_.get_executor(), parts->source->run(std::move(publish)), parts);
    working.sources.push_back({std::move(parts), id, std::move(task)});
  }
  return working;
}

void ServiceSources::change(const std::vector<Feed>& wanted) {
  // What comes behind those that stay is in its place at once.
  const auto begins_alike = std::ranges::mismatch(working_, wanted, {}, &Working::feed).in1;
  settled_ = settled_ && begins_alike == working_.end();
  auto before = std::exchange(working_, {});
  for (const auto& feed : wanted) {
    const auto known = std::ranges::find(before, feed, &Working::feed);
    if (known == before.end()) {
      working_.push_back(begin(feed));
      continue;
    }
    working_.push_back(std::move(*known));
    before.erase(known);
  }
  std::ranges::move(before, std::back_inserter(replaced_));
}

// One that has not, because its server is out of reach, leaves things as they were. What one knew
// before its server went away stays in force, and has been said.
bool ServiceSources::all_said_what_they_know() const {
  using State = SourceStatus::State;
  bool any = false;
  for (const auto& working : working_) {
    for (const auto& source : working.sources) {
      const auto status = source.parts->source->status();
      const bool knows = status.state == State::kFollowing || status.endpoints > 0;
      if (!knows && status.state != State::kNotServed) return false;
      any = any || knows;
    }
  }
  return any;
}

bool ServiceSources::settle() {
  if (settled_) return true;
  if (!all_said_what_they_know()) return false;
  std::vector<Service::SourceId> kept;
  for (const auto& working : working_)
    for (const auto& source : working.sources) kept.push_back(source.id);
  service_->keep_sources(kept);
  grace_.keep_sources(kept);
  replaced_.clear();
  settled_ = true;
  return true;
}

void ServiceSources::doubt() const {
  for (const auto* all : {&working_, &replaced_})
    for (const auto& working : *all)
      for (const auto& source : working.sources) source.parts->source->doubt();
}

bool ServiceSources::any_answered() const {
  for (const auto* all : {&working_, &replaced_})
    for (const auto& working : *all)
      for (const auto& source : working.sources)
        if (source.parts->source->status().heard_at) return true;
  return false;
}

std::vector<SourceStatus> ServiceSources::status() const {
  std::vector<SourceStatus> all;
  const auto now = Clock::now();
  const auto status_of = [&](const Working& working, const AtWork& source) {
    auto status = source.parts->source->status();
    status.name = std::visit(NameOfFeed{}, working.feed);
    if (auto note = grace_.note(source.id, now); !note.empty()) status.note = std::move(note);
    return status;
  };
  for (const auto& working : working_)
    for (const auto& source : working.sources) all.push_back(status_of(working, source));
  for (const auto& working : replaced_)
    for (const auto& source : working.sources) {
      auto status = status_of(working, source);
      status.replaced = true;
      status.note = "no longer configured; counts until those in its place have answered";
      all.push_back(std::move(status));
    }
  return all;
}

}  // namespace ambbpf
