// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/names.h"

#include <fmt/format.h>

#include <boost/algorithm/string/replace.hpp>

#include "userspace/http/url.h"
#include "userspace/support/asio.h"

namespace ambbpf {

std::string to_string(const HostAndPort& target) {
  const auto& [host, port] = target;
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

Result<HostAndPort> parse_host_and_port(std::string_view text) {
  const auto authority = parse_authority(text);
  if (!authority) return tl::unexpected(authority.error());
  if (!authority->port) return fail(fmt::format("'{}' is not HOST:PORT", text));
  auto host = authority->host;
  if (host.starts_with('[')) {
    host = host.substr(1, host.size() - 2);
    boost::algorithm::replace_first(host, "%25", "%");
  }
  return HostAndPort{std::move(host), *authority->port};
}

Result<SrvName> parse_srv_name(std::string_view text) {
  const auto authority = parse_authority(text);
  boost::system::error_code no_address;
  if (authority) asio::ip::make_address(authority->host, no_address);
  if (!authority || authority->port || authority->host.starts_with('[') || !no_address)
    return fail(
        fmt::format("'{}' is no name of SRV records, as _redis._tcp.example.org; the ports "
                    "stand in the records",
                    text));
  return SrvName{authority->host};
}

}  // namespace ambbpf
