// SPDX-License-Identifier: Apache-2.0
// What an ambbpf process is asked to do, whole and checked: made from a command line or a
// configuration file, and compared with what is in force when it is to change.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "userspace/access/access_log.h"
#include "userspace/dataplane/engine.h"
#include "userspace/dataplane/peer_watch.h"
#include "userspace/dataplane/time_limits.h"
#include "userspace/discovery/names.h"
#include "userspace/docker/address.h"
#include "userspace/endpoints/endpoint.h"
#include "userspace/etcd/types.h"
#include "userspace/health/check.h"
#include "userspace/http/http_client.h"
#include "userspace/proxy/client_limits.h"
#include "userspace/proxy/dial.h"
#include "userspace/proxy/proxy_protocol.h"
#include "userspace/proxy/refuse.h"
#include "userspace/registration/plan.h"
#include "userspace/support/log.h"

namespace ambbpf {

// A part of a file as it was written, by key: for telling what has changed, not what it means.
struct AsWritten {
  std::map<std::string, std::string> values;

  // Of parts that mean the same, either may be kept.
  bool operator==(const AsWritten&) const { return true; }
};

// Of the process. Only `drain`, `metrics_per_endpoint`, `dns_servers` and what is logged can change
// while it runs.
struct ProcessSettings {
  std::optional<Engine> engine;                // none: the best that works
  std::optional<unsigned> threads;             // none: one for each CPU that the process may use
  std::chrono::milliseconds drain{5000};       // for open connections, when they have to end
  std::optional<std::filesystem::path> admin;  // none: the default place
  std::optional<tcp::endpoint> admin_listen;   // none: the admin socket only
  std::vector<std::string> admin_names;        // of this host, in requests to admin_listen
  bool metrics_per_endpoint = true;            // false: those of services only
  std::optional<std::filesystem::path> direct_cgroup;  // none: the root of cgroup v2
  std::vector<std::filesystem::path> direct_except_cgroups;
  std::uint32_t direct_except_mark = 0;           // 0: none
  std::vector<tcp::endpoint> dns_servers;         // none: those of /etc/resolv.conf
  std::chrono::milliseconds fail_static{60'000};  // 0: nothing outlives the process
  std::string log_level = "info";
  log::Format log_format = log::Format::kText;
  AccessLogSettings access_log;
  AsWritten written{};

  bool operator==(const ProcessSettings&) const = default;
};

// An etcd cluster, and how it is convinced.
struct EtcdSettings {
  std::string name;  // "main", which others refer to
  EtcdApi api = EtcdApi::kAuto;
  EtcdOptions options;
  HttpAccess access;
  std::optional<EtcdUser> user;
  AsWritten written{};

  bool operator==(const EtcdSettings&) const = default;
};

// A Docker Engine.
struct DockerSettings {
  std::string name;
  DockerAddress address;
  bool ignore_health = false;   // of containers that provide services
  bool traefik_labels = false;  // are read as well
  AsWritten written{};

  bool operator==(const DockerSettings&) const = default;
};

// Where a service's endpoints are found: each may be empty, of several it is the union.
struct SourceSettings {
  std::vector<std::string> etcd;     // names of EtcdSettings
  std::vector<std::string> docker;   // names of DockerSettings
  std::vector<HostAndPort> forward;  // names, resolved
  std::vector<SrvName> srv;          // of SRV records
  std::vector<Endpoint> endpoints;   // as they are

  bool operator==(const SourceSettings&) const = default;
};

// Whether consumers on this host are sent straight to a backend (direct/direct.h).
enum class DirectMode {
  kOff,
  kAuto,  // where the kernel and the privileges allow it
  kOn,    // the same, and that it is not possible is a trouble to be told of
};

// What becomes of open connections to an endpoint that is removed. A time that has begun is not
// changed by a new policy.
struct RemovalPolicy {
  enum class Action {
    kKeep,   // they go on until one of their ends has enough
    kDrain,  // the same, but for `drain` at the most
    kReset,
  } action = Action::kDrain;
  std::chrono::milliseconds drain{300'000};

  bool operator==(const RemovalPolicy&) const = default;
};

// A service that is served on local ports.
struct ServiceSettings {
  std::string name;
  std::vector<tcp::endpoint> listen;
  SourceSettings sources;
  std::string policy = "round_robin";       // how a backend is chosen (endpoints/choice.h)
  std::string zone;                         // where this process is, as Balance has it
  unsigned zone_spill = 50;                 // …
  unsigned max_ejected = 50;                // …
  unsigned eject_resets = 3;                // …
  std::chrono::milliseconds slow_start{0};  // …
  DirectMode direct = DirectMode::kOff;
  bool direct_watch = false;  // see Direct::serve()
  DialOptions dial;
  std::optional<std::uint64_t> max_connections;  // none: what descriptors allow
  std::chrono::milliseconds grace{10'000};       // as Grace::change() has it
  KeepalivePolicy keepalive;                     // with peers that are heard no more
  RemovalPolicy removal;
  ProxyProtocol proxy;
  ClientLimitSettings clients;
  TimeLimits time_limits;
  Refuse refuse = Refuse::kReset;
  CheckSettings check;
  AsWritten written{};

  bool operator==(const ServiceSettings&) const = default;
};

// Containers that are kept in etcd while they run.
struct RegistrationSettings {
  std::string name;
  std::string etcd;               // name of EtcdSettings
  std::string docker;             // name of DockerSettings
  std::optional<NamedPort> only;  // none: all containers whose labels say so
  std::chrono::seconds ttl{5};
  std::optional<asio::ip::address> advertise;  // none: to be found out
  bool ignore_health = false;
  AsWritten written{};

  bool operator==(const RegistrationSettings&) const = default;
};

// Names are unique within each vector, and every name that is referred to is there.
struct Settings {
  ProcessSettings process;
  std::vector<EtcdSettings> etcds;
  std::vector<DockerSettings> dockers;
  std::vector<ServiceSettings> services;
  std::vector<RegistrationSettings> registrations;

  bool operator==(const Settings&) const = default;
};

}  // namespace ambbpf
