// SPDX-License-Identifier: Apache-2.0
// From what runs in Docker to what is to stand in etcd. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "userspace/docker/container.h"
#include "userspace/endpoints/endpoint_value.h"
#include "userspace/registration/key_reconciler.h"

namespace ambbpf {

// A container's port that was asked for by name.
struct NamedPort {
  std::string container;  // its name, or the beginning of its id
  unsigned short port = 0;
  std::string service;
  EndpointAttributes attributes;

  bool operator==(const NamedPort&) const = default;
};

struct PlanRules {
  std::optional<NamedPort> only;  // none: whatever the containers' labels say (--all)
  std::string prefix = "/services";
  asio::ip::address advertised;  // of this host
  std::string host_name;         // of the engine; makes the keys of --all different on every host
  bool ignore_health = false;
};

struct PlannedKey {
  std::string container;
  std::string key;
  std::optional<tcp::endpoint> endpoint;  // none: not to be registered now, see why_not
  std::string value;
  std::string why_not;       // "it is paused"
  bool unreachable = false;  // why_not will not pass by itself: the port is not published
};

// A label that cannot be taken.
struct Complaint {
  std::string container;
  std::string reason;

  bool operator==(const Complaint&) const = default;
  bool operator<(const Complaint& other) const {
    return std::tie(container, reason) < std::tie(other.container, other.reason);
  }
};

struct Plan {
  std::vector<PlannedKey> keys;
  std::vector<Complaint> complaints;

  WantedKeys wanted() const;
  Reasons why_not() const;  // of the others: "container web: it is paused"
};

// Whether a registrar of this host wrote this key for --all: its name begins with HOST: and its
// value is of the form that we write.
bool is_of_host(std::string_view host_name, std::string_view key, std::string_view value);

// `only`: PREFIX/SERVICE/CONTAINER, whether it runs or not. Otherwise
// PREFIX/SERVICE/HOST:CONTAINER: PORT for every service of every container that is not away.
Plan plan(const PlanRules& rules, const Containers& containers);

}  // namespace ambbpf
