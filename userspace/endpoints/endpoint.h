// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/support/asio.h"
#include "userspace/support/result.h"

namespace ambbpf {

// Where a backend is, as a source found it.
struct Endpoint {
  tcp::endpoint address;
  std::string found_as;  // etcd key "/services/web/web-1", "container web-1", or a name resolved

  bool operator==(const Endpoint&) const = default;
};

// "10.0.0.1:80" or "[fd00::1]:80". The port is 1 to 65535; names are refused.
Result<tcp::endpoint> parse_address(std::string_view text);

// A port alone, 1 to 65535, decimal digits only.
Result<unsigned short> parse_port(std::string_view text);

// The inverse of parse_address.
std::string to_string(const tcp::endpoint& address);

}  // namespace ambbpf
