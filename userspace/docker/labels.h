// SPDX-License-Identifier: Apache-2.0
// What a container's labels and environment say of the services it provides.
#pragma once

#include <string>
#include <vector>

#include "userspace/docker/container.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf {

struct ProvidedService {
  std::string service;
  unsigned short port = 0;        // in the container
  EndpointAttributes attributes;  // `ambbpf.tag.x=y` gives x, SERVICE_TAGS "tags"; names in order

  bool operator==(const ProvidedService&) const = default;
};

struct Provided {
  std::vector<ProvidedService> services;
  std::vector<std::string> complaints;  // one line for each label that cannot be taken
};

// Our labels: ambbpf.service, ambbpf.port (not needed where the container has one TCP port),
// ambbpf.tag.X. A container with none of them is asked for registrator's, as labels or in its
// environment (labels win): SERVICE_NAME (with several ports: NAME-PORT each), SERVICE_80_NAME,
// SERVICE_IGNORE, SERVICE_80_IGNORE, and others as attributes in lower case, those of a port before
// those of all: SERVICE_TAGS, SERVICE_80_TAGS; and, where that is asked for, for what
// traefik.tcp.services.NAME.loadbalancer.server.port says, NAME in lower case. A container that
// names no service provides none.
enum class TraefikLabels : bool { kIgnored, kRead };
Provided services_of(const Container& container, TraefikLabels traefik = TraefikLabels::kIgnored);

}  // namespace ambbpf
