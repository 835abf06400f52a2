// SPDX-License-Identifier: Apache-2.0
// What people are told of the scopes of settings.
#pragma once

#include <array>
#include <string_view>

#include "userspace/config/setting.h"

namespace ambbpf {

struct ScopeWords {
  Scope scope;
  std::string_view title;
  std::string_view place;  // where they stand in a file
  std::string_view words;
};

constexpr std::array kScopes{
    ScopeWords{Scope::kProcess, "The process", "at the top of the file, above all tables",
               "They stand at the top of the file, above all tables. Only drain, "
               "metrics_per_endpoint, dns_servers, log_* and access_log* can change while the "
               "process runs."},
    ScopeWords{Scope::kService, "Services", "in [service.NAME] or [defaults]",
               "Each service has a table, [service.NAME]; a name with a slash stands in quotes, "
               "[service.\"team/db\"]. Its endpoints are those of source, forward, srv and "
               "endpoints together."},
    ScopeWords{Scope::kEtcd, "etcd clusters", "in [etcd.NAME]",
               "Each cluster has a table, [etcd.NAME], and is a source as etcd.NAME."},
    ScopeWords{Scope::kDocker, "Docker Engines", "in [docker.NAME]",
               "Each engine has a table, [docker.NAME], and is a source as docker.NAME: the "
               "containers whose labels name the service."},
    ScopeWords{Scope::kRegistration, "Registrations", "in [register.NAME]",
               "A table [register.NAME] keeps containers of this host in etcd while they run: the "
               "one of container, port and service, or else all whose labels name a service."},
};

}  // namespace ambbpf
