// SPDX-License-Identifier: Apache-2.0
// What registrars write below a service's key.
#pragma once

#include <string_view>

#include "userspace/support/asio.h"
#include "userspace/support/result.h"

namespace ambbpf {

// Takes a JSON object with "host" (or "IP") and "port", the port as a number or in a string,
// whatever other fields it has; or plain host:port. Hosts are IPv4 or IPv6 addresses, IPv6 in a
// JSON value with or without brackets. The error is one short line, fit for a log.
Result<tcp::endpoint> decode_endpoint_value(std::string_view value);

}  // namespace ambbpf
