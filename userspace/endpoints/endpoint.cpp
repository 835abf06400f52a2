// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace ambbpf {

bool is_host_name(std::string_view text) {
  constexpr std::size_t kLongest = 253;     // RFC 1035, without its last dot
  constexpr std::size_t kLongestPart = 63;  // …
  constexpr std::string_view kDigits = "0123456789";
  if (text.size() > kLongest) return false;
  const auto is_of_a_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  for (;;) {
    const auto part = text.substr(0, text.find('.'));
    if (part.empty() || part.size() > kLongestPart || !std::ranges::all_of(part, is_of_a_name))
      return false;
    if (part.size() == text.size()) return part.find_first_not_of(kDigits) != part.npos;
    text.remove_prefix(part.size() + 1);
  }
}

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

tcp::endpoint unmapped(const tcp::endpoint& address) {
  const auto& ip = address.address();
  if (!ip.is_v6() || !ip.to_v6().is_v4_mapped()) return address;
  return {asio::ip::make_address_v4(asio::ip::v4_mapped, ip.to_v6()), address.port()};
}

std::string_view why_no_backend(const asio::ip::address& address) {
  if (address.is_multicast()) return "it is for multicast";
  // That is what "docker port" prints for a port published on all addresses: to connect there would
  // be to connect to ourselves.
  if (address.is_unspecified()) return "it stands for every address";
  if (address.is_v6()) {
    const auto ip = address.to_v6();
    if (ip.is_link_local() && ip.scope_id() == 0) return "a link-local address needs its zone";
    return {};
  }
  const auto first = address.to_v4().to_bytes()[0];
  if (address.to_v4() == asio::ip::address_v4::broadcast()) return "it is for broadcasts";
  if (first == 0) return "it is no host's (RFC 1122)";
  if (first >= 240) return "it is reserved (RFC 1112)";
  return {};
}

std::string to_string(const tcp::endpoint& address) {
  const auto host = address.address().to_string();
  return address.address().is_v6() ? fmt::format("[{}]:{}", host, address.port())
                                   : fmt::format("{}:{}", host, address.port());
}

}  // namespace ambbpf
