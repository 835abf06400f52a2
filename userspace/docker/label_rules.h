// SPDX-License-Identifier: Apache-2.0
// What labels may say, whoever invented them.
#pragma once

#include <string_view>

#include "userspace/docker/labels.h"

namespace ambbpf {

void complain(Provided& provided, std::string_view label, std::string_view why);

// Whether `name` can be a service's, which becomes a directory in etcd; else a complaint.
bool check_service_name(Provided& provided, std::string_view label, std::string_view name);

// Whether a service can have an attribute of that name; else a complaint.
bool check_attribute_name(Provided& provided, std::string_view label, std::string_view name);

// The services that registrator's SERVICE_... labels and variables name.
void read_registrator_labels(const Container& container, Provided& provided);

// The services of traefik.tcp.services.NAME.loadbalancer.server.port; none with
// traefik.enable=false.
void read_traefik_labels(const Container& container, Provided& provided);

}  // namespace ambbpf
