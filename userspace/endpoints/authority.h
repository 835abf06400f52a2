// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "userspace/support/result.h"

namespace ambbpf {

// What stands in a URL between "//" and the path: "db-1.example", "10.0.0.1:80", "[fd00::1]:80".
struct Authority {
  std::string host;  // a name or an address; IPv6 in its brackets
  std::optional<unsigned short> port;
};

// The host is not resolved. The error is one short line, fit for a log.
Result<Authority> parse_authority(std::string_view text);

}  // namespace ambbpf
