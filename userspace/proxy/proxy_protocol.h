// SPDX-License-Identifier: Apache-2.0
// What a service does with PROXY headers (proxy_header.h), and the sockets' side of it.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <vector>

#include "userspace/endpoints/network.h"
#include "userspace/proxy/proxy_header.h"
#include "userspace/support/result.h"

namespace ambbpf {

struct ProxyProtocol {
  enum class Clients {
    kSendNone,  // what they send is theirs, whatever it looks like
    kMaySend,   // those in `trusted`; what begins otherwise is taken for theirs
    kMustSend,  // all, and all of them have to be in `trusted`
  } clients = Clients::kSendNone;
  std::vector<Network> trusted{};
  ProxyVersion to_backend = ProxyVersion::kNone;

  bool is_used() const { return reads() || to_backend != ProxyVersion::kNone; }
  bool reads() const { return clients != Clients::kSendNone; }
  bool trusts(const asio::ip::address& address) const { return contain(trusted, address); }

  bool operator==(const ProxyProtocol&) const = default;
};

// How long a client may take for its header; the standard asks for three seconds at least.
inline constexpr std::chrono::seconds kProxyHeaderTimeout{5};

struct ProxyHeaderRead {
  enum class Outcome { kHeader, kNone, kMissing, kMalformed } outcome;
  ProxyHeader header{};
  std::size_t size = 0;  // bytes taken from the socket: the header's
  std::string why{};     // of kMissing and kMalformed: for the log
};

// Takes the header from the beginning of a connection, and no byte behind it. kNone: the first
// bytes are of none, or there are none, and nothing was taken. kMissing: the connection has ended
// in the middle of it, or kProxyHeaderTimeout has. Returns early when `client` is closed or
// released.
awaitable<ProxyHeaderRead> read_proxy_header(asio::posix::stream_descriptor& client);

// Both ends of a client's connection: what a header says of one that has sent none.
ProxyHeader::Addresses addresses_of(int client, const tcp::endpoint& peer);

}  // namespace ambbpf
