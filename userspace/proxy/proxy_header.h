// SPDX-License-Identifier: Apache-2.0
// The PROXY protocol, versions 1 and 2: who the client of a connection is, told ahead of its first
// byte by a proxy before us, and by us to the backend.
// Source: https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "userspace/support/asio.h"

namespace ambbpf {

enum class ProxyVersion { kNone = 0, kOne = 1, kTwo = 2 };

struct ProxyHeader {
  struct Addresses {
    tcp::endpoint client;
    tcp::endpoint server;  // that the client has connected to
  };
  // None: the connection speaks for itself (LOCAL, UNKNOWN, or addresses that are not TCP's).
  std::optional<Addresses> addresses{};
  std::string unique_id{};  // version 2: any bytes, at most kLongestUniqueId
};

inline constexpr std::size_t kLongestUniqueId = 128;      // bytes
inline constexpr std::size_t kLongestProxyHeader = 4096;  // bytes; longer ones are refused

// What the first bytes of a connection are.
struct ProxyParse {
  enum class Found {
    kHeader,     // `size` bytes of them
    kBeginning,  // of a header, of which `size` bytes are needed to say more
    kNoHeader,   // whatever may follow
    kMalformed,  // `why`
  } found;
  std::size_t size = 0;
  ProxyHeader header{};
  std::string_view why{};
};

// Looks at them only. Of no bytes: kBeginning.
ProxyParse parse_proxy_header(std::string_view bytes);

// Without addresses: UNKNOWN or LOCAL. The unique id is for version 2; kNone: empty.
std::string write_proxy_header(ProxyVersion version, const ProxyHeader& header);

}  // namespace ambbpf
