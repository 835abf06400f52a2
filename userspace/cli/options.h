// SPDX-License-Identifier: Apache-2.0
// The command line: what was asked for, checked as far as it can be without doing anything.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "userspace/cli/status.h"
#include "userspace/dataplane/engine.h"
#include "userspace/dataplane/peer_watch.h"
#include "userspace/discovery/name_source.h"
#include "userspace/docker/address.h"
#include "userspace/etcd/types.h"
#include "userspace/http/http_client.h"
#include "userspace/proxy/dial.h"
#include "userspace/registration/plan.h"

namespace ambbpf {

// What every verb that forwards takes.
struct ForwardingOptions {
  std::optional<Engine> engine;  // none: the best that works
  unsigned threads = 1;
  DialOptions dial;
  std::optional<std::uint64_t> max_connections;  // of each service; none: what descriptors allow
  std::chrono::milliseconds drain{5000};         // after SIGTERM, for open connections
  KeepalivePolicy keepalive;                     // with peers that are heard no more
  std::optional<std::filesystem::path> admin;    // none: the default place
  std::string log_level = "info";
};

// Which etcd, and how it is convinced.
struct EtcdChoice {
  EtcdApi api = EtcdApi::kAuto;
  EtcdOptions options;
  HttpAccess access;
  std::optional<EtcdUser> user;
};

// Where the proxy finds endpoints; of several the union.
struct SourceChoice {
  bool etcd = true;
  bool docker = false;
};

struct ProxyOptions {
  struct Route {
    std::string service;
    tcp::endpoint listen;
  };
  std::vector<Route> routes;
  SourceChoice sources;
  EtcdChoice etcd;
  DockerAddress docker;
  bool ignore_health = false;  // of containers
  ForwardingOptions forwarding;
};

struct ForwardOptions {
  HostAndPort target;
  tcp::endpoint listen;
  ForwardingOptions forwarding;
};

struct RegisterOptions {
  std::optional<NamedPort> only;  // none: all containers whose labels say so
  EtcdChoice etcd;
  DockerAddress docker;
  std::chrono::seconds ttl{5};
  std::optional<asio::ip::address> advertise;  // none: to be found out
  bool ignore_health = false;
  std::optional<std::filesystem::path> admin;  // none: the default place
  std::string log_level = "info";
};

struct DoctorOptions {
  std::string log_level = "warn";
};

// `--help` or `--version`: to be printed, and that is all.
struct Printed {
  std::string text;
};

using Command = std::variant<ProxyOptions, ForwardOptions, RegisterOptions, StatusOptions,
                             DoctorOptions, Printed>;

// Every option has a twin in the environment (AMBBPF_ENGINE for --engine), for containers; the
// command line wins. The error is one line that names the option and the value.
Result<Command> parse_command_line(int argc, const char* const* argv);

}  // namespace ambbpf
