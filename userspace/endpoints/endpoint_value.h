// SPDX-License-Identifier: Apache-2.0
// What registrars write below a service's key.
#pragma once

#include <string>
#include <string_view>

#include "userspace/endpoints/endpoint.h"
#include "userspace/support/asio.h"
#include "userspace/support/result.h"

namespace ambbpf {

// What a value says of an endpoint.
struct EndpointValue {
  tcp::endpoint address;
  EndpointAttributes attributes;
  std::string name{};  // of the host, to be resolved: of `address` only the port counts then

  bool operator==(const EndpointValue&) const = default;
};

// Takes a JSON object with "host" (or "IP") and "port", the port as a number or in a string,
// whatever other fields it has; or plain host:port. Hosts are names, or IPv4 or IPv6 addresses,
// IPv6 in a JSON value with or without brackets, IPv4 in IPv6 as IPv4. Addresses where no backend
// can be are refused. The error is one short line, fit for a log.
//
// The object's further fields are attributes: strings as they are, numbers and booleans as JSON
// writes them. Others (null, arrays, objects) are left out, as are all after the first 32, and
// names or values of more than 256 bytes.
Result<EndpointValue> decode_endpoint_value(std::string_view value);

// {"port":49155,"host":"10.0.0.1","weight":3,"zone":"nyc"}: the shape that docker-register wrote,
// numbers without quotes. `attributes` has neither "port" nor "host".
std::string encode_endpoint_value(const tcp::endpoint& endpoint,
                                  const EndpointAttributes& attributes);

}  // namespace ambbpf
