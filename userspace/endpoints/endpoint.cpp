// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/endpoint.h"

#include <fmt/format.h>

#include <charconv>

namespace ambbpf {

Result<unsigned short> parse_port(std::string_view text) {
  unsigned short port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || rest != end || port == 0)
    return fail(fmt::format("'{}' is not a port (1 to 65535)", text));
  return port;
}

Result<tcp::endpoint> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(fmt::format("'{}' has no port", text));
  if (text.find('\0') != std::string_view::npos) return fail("a NUL byte in an address");
  auto host = text.substr(0, colon);
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return tl::unexpected(port.error());

  boost::system::error_code error;
  asio::ip::address address;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    address = asio::ip::make_address_v6(host, error);
  } else {
    address = asio::ip::make_address_v4(host, error);
  }
  if (error) return fail(fmt::format("'{}' is not an IPv4 or [IPv6] address", host));
  return tcp::endpoint(address, *port);
}

std::string to_string(const tcp::endpoint& address) {
  const auto host = address.address().to_string();
  return address.address().is_v6() ? fmt::format("[{}]:{}", host, address.port())
                                   : fmt::format("{}:{}", host, address.port());
}

}  // namespace ambbpf
