// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/url.h"

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

// `authority`: what stands between "//" and the path.
Result<void> check_authority(std::string_view authority) {
  const auto bracket = authority.rfind(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (!is_host(authority.substr(0, colon)))
    return fail(fmt::format("etcd URL: {} is not a host", quoted(authority.substr(0, colon))));
  if (colon == std::string_view::npos) return {};
  const auto port = authority.substr(colon + 1);
  if (!parse_port(port)) return fail(fmt::format("etcd URL: {} is not a port", quoted(port)));
  return {};
}

Result<std::string> parse_one(std::string_view url) {
  const auto scheme_end = url.find("://");
  const auto scheme = url.substr(0, scheme_end);
  // Said first and without a quotation: what follows may hold a password.
  if (url.find('@') != std::string_view::npos)
    return fail("etcd URL: user names and passwords in the URL are not supported");
  if (scheme_end == std::string_view::npos || (scheme != "http" && scheme != "https"))
    return fail(fmt::format("etcd URL: {} does not begin with http:// or https://", quoted(url)));
  auto authority = url.substr(scheme_end + 3);
  if (authority.ends_with('/')) authority.remove_suffix(1);
  if (authority.find_first_of("/?#") != std::string_view::npos)
    return fail(fmt::format("etcd URL: {} has more than a host and a port", quoted(url)));
  const auto good = check_authority(authority);
  if (!good) return tl::unexpected(good.error());
  return fmt::format("{}://{}", scheme, authority);
}

}  // namespace

Result<std::vector<std::string>> parse_etcd_urls(std::string_view list) {
  std::vector<std::string> urls;
  for (;;) {
    const auto comma = list.find(',');
    auto url = parse_one(list.substr(0, comma));
    if (!url) return tl::unexpected(url.error());
    urls.push_back(std::move(*url));
    if (comma == std::string_view::npos) return urls;
    list.remove_prefix(comma + 1);
  }
}

Result<std::vector<std::string>> default_etcd_urls(const Getenv& getenv) {
  const auto value_of = [&](const char* name) -> std::string {
    const char* value = getenv(name);
    return value ? value : "";
  };
  const auto linked = value_of("ETCD_PORT_10000_TCP_ADDR");
  if (linked.empty())
    return std::vector<std::string>{"http://172.17.42.1:4001", "http://127.0.0.1:2379"};
  auto port = value_of("ETCD_PORT_10000_TCP_PORT");
  if (port.empty()) port = "10000";
  const bool bare_ipv6 = linked.find(':') != std::string::npos && !linked.starts_with('[');
  const auto host = bare_ipv6 ? "[" + linked + "]" : linked;
  return parse_etcd_urls("http://" + host + ":" + port);
}

}  // namespace ambbpf
