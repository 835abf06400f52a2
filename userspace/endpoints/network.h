// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/network_v6.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/support/asio.h"
#include "userspace/support/result.h"

namespace ambbpf {

// Addresses that begin alike: "10.0.0.0/8", "fd00::/8", or one address.
class Network {
 public:
  static Result<Network> parse(std::string_view text);

  // An IPv4 address in IPv6's clothes counts as itself.
  bool contains(const asio::ip::address& address) const;

  bool operator==(const Network&) const = default;

 private:
  explicit Network(asio::ip::network_v6 network) : network_(network) {}

  asio::ip::network_v6 network_;  // of IPv4: below ::ffff:0:0/96
};

// Whether one of them contains the address.
bool contain(const std::vector<Network>& networks, const asio::ip::address& address);

}  // namespace ambbpf
