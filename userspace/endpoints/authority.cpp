// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/authority.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "userspace/endpoints/endpoint.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

bool is_host_name(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '.' || c == '_';
  });
}

bool is_host(std::string_view host) {
  if (!host.starts_with('[')) return is_host_name(host);
  if (!host.ends_with(']')) return false;
  // Asio reads up to the first NUL, and takes anything for a zone.
  const auto is_graphic = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  if (!std::all_of(host.begin(), host.end(), is_graphic)) return false;
  boost::system::error_code error;
  asio::ip::make_address_v6(host.substr(1, host.size() - 2), error);
  return !error;
}

}  // namespace

Result<Authority> parse_authority(std::string_view text) {
  const auto bracket = text.rfind(']');
  const auto colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const auto host = text.substr(0, colon);
  if (!is_host(host)) return fail(fmt::format("{} is not a host", quoted(host)));
  Authority authority{std::string(host), std::nullopt};
  if (colon == std::string_view::npos) return authority;
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return fail(fmt::format("{} is not a port", quoted(text.substr(colon + 1))));
  authority.port = *port;
  return authority;
}

}  // namespace ambbpf
