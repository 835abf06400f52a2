// SPDX-License-Identifier: Apache-2.0
#include "userspace/admin/host_names.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/beast/core/string.hpp>

namespace ambbpf {
namespace {

bool is_address(std::string_view text) {
  boost::system::error_code error;
  boost::asio::ip::make_address(std::string(text), error);
  return !error;
}

}  // namespace

bool is_ours(std::string_view host, const std::vector<std::string>& names) {
  const auto port = host.find_last_not_of("0123456789");
  if (port != host.npos && host[port] == ':' && host.find(']', port) == host.npos)
    host = host.substr(0, port);
  if (host.starts_with('[') && host.ends_with(']'))
    return is_address(host.substr(1, host.size() - 2));
  const auto is_host = [host](std::string_view name) {
    return boost::beast::iequals({name.data(), name.size()}, {host.data(), host.size()});
  };
  return is_address(host) || is_host("localhost") || std::ranges::any_of(names, is_host);
}

}  // namespace ambbpf
