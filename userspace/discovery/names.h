// SPDX-License-Identifier: Apache-2.0
// What sources are asked to follow in DNS. Nothing is resolved here.
#pragma once

#include <string>
#include <string_view>

#include "userspace/support/result.h"

namespace ambbpf {

// "HOST:PORT", "10.0.0.1:80", "[fd00::1]:80".
struct HostAndPort {
  std::string host;  // without brackets
  unsigned short port = 0;

  bool operator==(const HostAndPort&) const = default;
};
std::string to_string(const HostAndPort& target);
Result<HostAndPort> parse_host_and_port(std::string_view text);

// The name of SRV records: "_redis._tcp.example.org".
struct SrvName {
  std::string name;

  bool operator==(const SrvName&) const = default;
};
Result<SrvName> parse_srv_name(std::string_view text);

}  // namespace ambbpf
