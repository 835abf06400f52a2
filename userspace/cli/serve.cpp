// SPDX-License-Identifier: Apache-2.0
// What `proxy` and `forward` have in common: both serve what their settings say.
#include "userspace/cli/ambassador.h"
#include "userspace/cli/verbs.h"
#include "userspace/discovery/docker_source.h"
#include "userspace/discovery/etcd_catalogue.h"
#include "userspace/discovery/name_source.h"
#include "userspace/support/log.h"

namespace ambbpf {
namespace {

std::vector<Served> served_by(const Settings& settings) {
  std::vector<Served> served;
  for (const auto& service : settings.services)
    for (const auto& listen : service.listen) served.push_back({service.name, listen});
  return served;
}

// The etcd and the Docker of a command line, which has one of each at most.
int serve(const char* verb, const Settings& settings) {
  log::set_up(settings.process.log_level);
  auto ambassador = Ambassador::create(verb, settings, served_by(settings));
  if (!ambassador) {
    complain(ambassador.error().message());
    return 1;
  }
  auto& io = (*ambassador)->io();
  const auto choice = settings.etcds.empty() ? EtcdSettings() : settings.etcds.front();
  const auto engine = settings.dockers.empty() ? DockerSettings() : settings.dockers.front();
  EtcdClient etcd(io.get_executor(), choice.access, choice.user);
  DockerFollower docker(io.get_executor(), engine.address);
  const auto etcd_catalogues = make_etcd_catalogues(choice.api, etcd, choice.options);
  DockerCatalogue catalogue(docker, engine.ignore_health);
  std::size_t place = 0;
  for (const auto& service : settings.services) {
    for (std::size_t i = 0; i < service.listen.size(); ++i, ++place) {
      if (!service.sources.etcd.empty())
        for (const auto& etcd_catalogue : etcd_catalogues)
          (*ambassador)->follow(place, etcd_catalogue->source_of(service.name));
      if (!service.sources.docker.empty())
        (*ambassador)->follow(place, catalogue.source_of(service.name));
      for (const auto& [host, port] : service.sources.forward)
        (*ambassador)->follow(place, std::make_unique<NameSource>(io, host, port));
    }
  }
  if (!settings.dockers.empty()) spawn(io, catalogue.run());
  for (const auto& etcd_catalogue : etcd_catalogues) spawn(io, etcd_catalogue->run());
  (*ambassador)->run();
  return 0;
}

}  // namespace

int run_proxy(const ProxyOptions& options) { return serve("proxy", options.settings); }
int run_forward(const ForwardOptions& options) { return serve("forward", options.settings); }

}  // namespace ambbpf
