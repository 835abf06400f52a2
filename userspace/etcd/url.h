// SPDX-License-Identifier: Apache-2.0
// Which etcd to talk to.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/support/result.h"

namespace ambbpf {

// "URL[,URL...]", each http(s)://host[:port]; a slash at the end is dropped. The host is a name, an
// IPv4 address, or an IPv6 address in brackets. Paths, queries and user names are refused.
Result<std::vector<std::string>> parse_etcd_urls(std::string_view list);

// getenv(3), or a test's stand-in: null where the variable is not set.
using Getenv = std::function<const char*(const char*)>;

// Docker's link "etcd" where it is set (ETCD_PORT_10000_TCP_ADDR and _PORT, as the ambassador
// pattern has it), otherwise the etcd on the Docker bridge of the host and the one on this machine.
Result<std::vector<std::string>> default_etcd_urls(const Getenv& getenv);

}  // namespace ambbpf
