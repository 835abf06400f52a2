// SPDX-License-Identifier: Apache-2.0
#include "userspace/direct/local_addresses.h"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <memory>

namespace ambbpf {

Result<LocalAddresses> LocalAddresses::open() {
  const std::string what = "listen for changes of this host's addresses";
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!socket) return fail_errno(what);
  sockaddr_nl groups{};
  groups.nl_family = AF_NETLINK;
  groups.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof groups) != 0)
    return fail_errno(what);
  return LocalAddresses(std::move(socket));
}

Result<LocalAddresses::Set> LocalAddresses::list() {
  std::array<char, 8192> news;  // whatever it says, or says that it has lost (ENOBUFS)
  while (::recv(socket_.get(), news.data(), news.size(), 0) > 0 || errno == ENOBUFS) continue;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return fail_errno("list this host's addresses");
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, ::freeifaddrs);
  Set addresses;
  for (const auto* entry = first; entry; entry = entry->ifa_next) {
    if (!entry->ifa_addr) continue;
    if (entry->ifa_addr->sa_family == AF_INET) {
      sockaddr_in four{};
      std::memcpy(&four, entry->ifa_addr, sizeof four);
      addresses.insert(asio::ip::address_v4(ntohl(four.sin_addr.s_addr)));
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 six{};
      std::memcpy(&six, entry->ifa_addr, sizeof six);
      asio::ip::address_v6::bytes_type bytes;
      std::memcpy(bytes.data(), &six.sin6_addr, bytes.size());
      addresses.insert(asio::ip::address_v6(bytes));
    }
  }
  return addresses;
}

}  // namespace ambbpf
