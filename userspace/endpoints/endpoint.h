// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/support/asio.h"
#include "userspace/support/result.h"

namespace ambbpf {

// What else is said of an endpoint: "weight" and "3", in the order in which it was said.
using EndpointAttributes = std::vector<std::pair<std::string, std::string>>;

// Where a backend is, as a source found it.
struct Endpoint {
  tcp::endpoint address;
  std::string found_as;  // etcd key "/services/web/web-1", "container web-1", or a name resolved
  EndpointAttributes attributes{};

  bool operator==(const Endpoint&) const = default;
};

// A value that could not be taken for an endpoint; it hurts nobody but itself.
struct RejectedValue {
  std::string key;  // where it stands, as Endpoint::found_as
  std::string reason;

  bool operator==(const RejectedValue&) const = default;
};

// "10.0.0.1:80" or "[fd00::1]:80". The port is 1 to 65535; names are refused.
Result<tcp::endpoint> parse_address(std::string_view text);

// A name that can be asked for: letters, digits, "-" and "_" between dots, 253 bytes at the most;
// its last part is no number, so it cannot be meant for an address.
bool is_host_name(std::string_view text);

// A port alone, 1 to 65535, decimal digits only.
Result<unsigned short> parse_port(std::string_view text);

// The inverse of parse_address.
std::string to_string(const tcp::endpoint& address);

// The same address as IPv4 where it is IPv4 in IPv6's clothes: ::ffff:10.0.0.1 (RFC 4291, 2.5.5.2).
tcp::endpoint unmapped(const tcp::endpoint& address);

// Why nobody can be connected to there, wherever one is: "it is for broadcasts". Empty: one can.
std::string_view why_no_backend(const asio::ip::address& address);

}  // namespace ambbpf
