// SPDX-License-Identifier: Apache-2.0
// Bodies of the Docker Engine API (1.12 to 1.52), decoded. Pure functions: text in, values out.
// Errors are one line, fit for a log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/support/result.h"

namespace ambbpf {

// "1.24"
struct DockerApiVersion {
  unsigned major = 0;
  unsigned minor = 0;

  bool operator<(const DockerApiVersion& other) const {
    return std::pair(major, minor) < std::pair(other.major, other.minor);
  }
};
std::optional<DockerApiVersion> parse_docker_api_version(std::string_view text);
std::string to_string(DockerApiVersion version);

// What an engine speaks, from GET /version.
struct DockerApiRange {
  DockerApiVersion lowest;  // engines before 1.13 do not tell: 1.0 then
  DockerApiVersion highest;
};
Result<DockerApiRange> decode_docker_version(std::string_view body);

// The version that an engine names when it refuses ours: "client version 1.24 is too old. Minimum
// supported API version is 1.44, please upgrade", "... is too new. Maximum supported API version is
// 1.23".
std::optional<DockerApiVersion> decode_docker_other_version(std::string_view body);

// What an engine says when it refuses: {"message":"..."}, or the text itself.
std::string decode_docker_error(std::string_view body);

// The host's name, from GET /info.
Result<std::string> decode_docker_host_name(std::string_view body);

// The ids in GET /containers/json.
Result<std::vector<std::string>> decode_docker_list(std::string_view body);

// One of GET /events.
struct DockerEvent {
  enum class Kind {
    kOther,    // is of no interest; the rest is empty
    kKill,     // a signal was sent
    kDie,      // the container's process has ended
    kChange,   // inspecting will tell: started, paused, renamed, another health, destroyed
    kNetwork,  // connected to a network, or disconnected
  };
  Kind kind = Kind::kOther;
  std::string id;              // the container's
  std::string action;          // in Docker's words, "health_status: healthy"
  int signal = 0;              // of kKill; 0: an old engine does not tell
  std::int64_t time_nano = 0;  // nanoseconds since 1970 on the engine's clock; 0: not told
};
Result<DockerEvent> decode_docker_event(std::string_view body);

// True for what may stand in a request's path: up to 64 hexadecimal digits.
bool is_container_id(std::string_view text);

}  // namespace ambbpf
