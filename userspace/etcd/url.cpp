// SPDX-License-Identifier: Apache-2.0
#include "userspace/etcd/url.h"

#include <fmt/format.h>

#include "userspace/http/url.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

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
  const auto parsed = parse_authority(authority);
  if (!parsed) return fail(fmt::format("etcd URL: {}", parsed.error().what));
  return fmt::format("{}://{}", scheme, to_string(*parsed));
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
