// SPDX-License-Identifier: Apache-2.0
// What a container's labels and environment say of the services it provides.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "userspace/docker/container.h"

namespace ambbpf {

struct ProvidedService {
  std::string service;
  unsigned short port = 0;                        // in the container
  std::map<std::string, std::string> attributes;  // `ambbpf.tag.x=y` gives x, SERVICE_TAGS "tags"

  bool operator==(const ProvidedService&) const = default;
};

struct Provided {
  std::vector<ProvidedService> services;
  std::vector<std::string> complaints;  // one line for each label that cannot be taken
};

// ambbpf.service, ambbpf.port, ambbpf.tag.X; and registrator's SERVICE_NAME, SERVICE_80_NAME,
// SERVICE_TAGS, SERVICE_80_TAGS, SERVICE_IGNORE, SERVICE_80_IGNORE, as labels or in the environment
// (labels win). A container that names no service provides none.
Provided services_of(const Container& container);

}  // namespace ambbpf
