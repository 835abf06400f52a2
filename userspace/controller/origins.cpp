// SPDX-License-Identifier: Apache-2.0
#include "userspace/controller/origins.h"

#include <set>

#include "userspace/discovery/docker_source.h"
#include "userspace/discovery/etcd_catalogue.h"

namespace ambbpf {

struct EtcdCluster::Parts {
  Parts(asio::io_context& io, EtcdSettings set, std::shared_ptr<Resolver> resolver)
      : settings(std::move(set)),
        client(io.get_executor(), settings.access, settings.user),
        catalogues(
            make_etcd_catalogues(settings.api, client, settings.options, std::move(resolver))) {}

  const EtcdSettings settings;
  EtcdClient client;
  const std::vector<std::unique_ptr<Catalogue>> catalogues;
};

EtcdCluster::EtcdCluster(asio::io_context& io, const EtcdSettings& settings,
                         std::shared_ptr<Resolver> resolver)
    : parts_(std::make_shared<Parts>(io, settings, std::move(resolver))) {
  for (const auto& catalogue : parts_->catalogues)
    tasks_.emplace_back(io.get_executor(), catalogue->run(), parts_);
}

const EtcdSettings& EtcdCluster::settings() const { return parts_->settings; }
EtcdClient& EtcdCluster::client() const { return parts_->client; }

std::vector<std::unique_ptr<Source>> EtcdCluster::sources_of(const std::string& service) const {
  std::vector<std::unique_ptr<Source>> sources;
  for (const auto& catalogue : parts_->catalogues) sources.push_back(catalogue->source_of(service));
  return sources;
}

struct DockerEngine::Parts {
  Parts(asio::io_context& io, DockerSettings set)
      : settings(std::move(set)),
        follower(io.get_executor(), settings.address),
        catalogue(follower,
                  {settings.ignore_health,
                   settings.traefik_labels ? TraefikLabels::kRead : TraefikLabels::kIgnored}) {}

  const DockerSettings settings;
  DockerFollower follower;
  DockerCatalogue catalogue;
};

DockerEngine::DockerEngine(asio::io_context& io, const DockerSettings& settings)
    : parts_(std::make_shared<Parts>(io, settings)),
      task_(io.get_executor(), parts_->catalogue.run(), parts_) {}

const DockerSettings& DockerEngine::settings() const { return parts_->settings; }
DockerFollower& DockerEngine::follower() const { return parts_->follower; }

std::unique_ptr<Source> DockerEngine::source_of(const std::string& service) const {
  return parts_->catalogue.source_of(service);
}

namespace {

struct Used {
  std::set<std::string> etcds;
  std::set<std::string> dockers;
};

Used used_by(const Settings& settings) {
  Used used;
  for (const auto& service : settings.services) {
    used.etcds.insert(service.sources.etcd.begin(), service.sources.etcd.end());
    used.dockers.insert(service.sources.docker.begin(), service.sources.docker.end());
  }
  for (const auto& registration : settings.registrations) {
    used.etcds.insert(registration.etcd);
    used.dockers.insert(registration.docker);
  }
  return used;
}

// `uses`: what makes an Origin, beside its settings.
template <class Origin, class OriginSettings, class... Uses>
std::map<std::string, std::shared_ptr<Origin>> kept_or_made(
    const std::vector<OriginSettings>& known_settings, const std::set<std::string>& used,
    const std::map<std::string, std::shared_ptr<Origin>>& present, asio::io_context& io,
    const Uses&... uses) {
  std::map<std::string, std::shared_ptr<Origin>> origins;
  for (const auto& settings : known_settings) {
    if (!used.contains(settings.name)) continue;
    const auto known = present.find(settings.name);
    const bool same = known != present.end() && known->second->settings() == settings;
    origins.emplace(settings.name,
                    same ? known->second : std::make_shared<Origin>(io, settings, uses...));
  }
  return origins;
}

}  // namespace

Origins origins_for(const Settings& settings, const Origins& present, asio::io_context& io) {
  const auto used = used_by(settings);
  auto resolver =
      present.resolver ? present.resolver : std::make_shared<Resolver>(io.get_executor());
  resolver->use_servers(settings.process.dns_servers);
  return {.etcds = kept_or_made(settings.etcds, used.etcds, present.etcds, io, resolver),
          .dockers = kept_or_made(settings.dockers, used.dockers, present.dockers, io),
          .resolver = std::move(resolver)};
}

}  // namespace ambbpf
