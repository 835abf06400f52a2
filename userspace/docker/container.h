// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/support/asio.h"

namespace ambbpf {

// Where on the host a container's port is published.
struct PortBinding {
  std::string host_ip;           // as Docker says it: "0.0.0.0", "::", "10.0.0.1"; may be empty
  unsigned short host_port = 0;  // never 0

  bool operator==(const PortBinding&) const = default;
};

// What we need to know of a container, as inspecting it tells.
struct Container {
  enum class State {
    kAway,  // created, exited, restarting, dead: not there to be talked to
    kRunning,
    kPaused,
    kStopping,  // runs, but has been sent its stop signal
  };
  enum class Health { kNone, kStarting, kHealthy, kUnhealthy };  // kNone: it has no HEALTHCHECK

  std::string id;    // 64 hex digits
  std::string name;  // without the slash that Docker writes before it
  State state = State::kAway;
  Health health = Health::kNone;
  int stop_signal = 15;         // Config.StopSignal as a number
  std::int64_t started_at = 0;  // nanoseconds since 1970 on the engine's clock; 0: never
  std::string network_mode;     // "default", "bridge", "host", "container:ID", a network's name
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> environment;

  // TCP ports that are exposed, published or both; without bindings: exposed only.
  std::map<unsigned short, std::vector<PortBinding>> ports;

  // On its networks, in the order of the networks' names, IPv4 before IPv6.
  std::vector<asio::ip::address> addresses;

  bool operator==(const Container&) const = default;
};

// By id.
using Containers = std::map<std::string, Container>;

// Why nobody should be sent to this container now, "it is paused"; empty: it is there to be talked
// to.
std::string why_not_available(const Container& container, bool ignore_health);

// By its name, or by the beginning of its id, at least the 12 digits that `docker ps` shows. Null:
// there is none.
const Container* find_container(const Containers& containers, std::string_view name_or_id);

// The container whose network this one is in: itself, unless its network mode is "container:ID".
// Null: that one is gone.
const Container* network_owner(const Containers& containers, const Container& container);

}  // namespace ambbpf
