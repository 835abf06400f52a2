// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/ambassador.h"
#include "userspace/cli/verbs.h"
#include "userspace/discovery/docker_source.h"
#include "userspace/discovery/etcd_catalogue.h"
#include "userspace/support/log.h"

namespace ambbpf {

int run_proxy(const ProxyOptions& options) {
  log::set_up(options.forwarding.log_level);
  std::vector<Served> served;
  for (const auto& route : options.routes) served.push_back({route.service, route.listen});
  auto ambassador = Ambassador::create("proxy", options.forwarding, served);
  if (!ambassador) {
    complain(ambassador.error().message());
    return 1;
  }
  const auto& choice = options.etcd;
  EtcdClient etcd((*ambassador)->io().get_executor(), choice.access, choice.user);
  DockerFollower docker((*ambassador)->io().get_executor(), options.docker);
  const auto etcd_catalogues = make_etcd_catalogues(choice.api, etcd, choice.options);
  DockerCatalogue catalogue(docker, options.ignore_health);
  for (std::size_t i = 0; i < options.routes.size(); ++i) {
    const auto& service = options.routes[i].service;
    if (options.sources.etcd)
      for (const auto& etcd_catalogue : etcd_catalogues)
        (*ambassador)->follow(i, etcd_catalogue->source_of(service));
    if (options.sources.docker) (*ambassador)->follow(i, catalogue.source_of(service));
  }
  if (options.sources.docker) spawn((*ambassador)->io(), catalogue.run());
  for (const auto& etcd_catalogue : etcd_catalogues)
    spawn((*ambassador)->io(), etcd_catalogue->run());
  (*ambassador)->run();
  return 0;
}

}  // namespace ambbpf
