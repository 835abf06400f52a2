// SPDX-License-Identifier: Apache-2.0
// What URLs are made of, as libcurl reads and writes it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "userspace/support/result.h"

namespace ambbpf {

// What stands in a URL between "//" and the path: "db-1.example", "10.0.0.1:80", "[fd00::1]:80".
struct Authority {
  std::string host;  // a name or an address; IPv6 in its brackets, a zone behind %25
  std::optional<unsigned short> port;
};

// The host is not resolved. Where libcurl is laxer than we are: printable ASCII only, a percent
// sign only before a zone, no user name, nothing behind the port, and a port from 1 behind a colon.
// The error is one short line, fit for a log.
Result<Authority> parse_authority(std::string_view text);

// "10.0.0.1:80"; the inverse of parse_authority.
std::string to_string(const Authority& authority);

// A path as it stands in a URL; also a value in its query.
std::string url_encode(std::string_view path);

}  // namespace ambbpf
