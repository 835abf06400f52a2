// SPDX-License-Identifier: Apache-2.0
// Which Docker Engine to talk to.
#pragma once

#include <string>
#include <string_view>

#include "userspace/http/http_client.h"
#include "userspace/support/result.h"

namespace ambbpf {

struct DockerAddress {
  std::string name = "unix:///var/run/docker.sock";  // as given, for people
  std::string url = "http://docker";                 // what requests begin with
  HttpAccess access{"/var/run/docker.sock", "", "", ""};

  bool operator==(const DockerAddress&) const = default;
};

// As DOCKER_HOST has it: unix:///path, tcp://host[:port], http://… or https://…. `tls` makes tcp://
// mean HTTPS. The port defaults to 2375, with TLS to 2376. `access` holds the TLS files, if any.
Result<DockerAddress> parse_docker_host(std::string_view text, bool tls, HttpAccess access);

}  // namespace ambbpf
