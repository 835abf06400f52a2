// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/own_listeners.h"

#include <algorithm>
#include <boost/asio/ip/udp.hpp>

#include "userspace/endpoints/endpoint.h"

namespace ambbpf {
namespace {

using asio::ip::udp;

bool can_bind(const asio::ip::address& address) {
  asio::io_context io;
  boost::system::error_code error;
  const udp::endpoint any_port(address, 0);
  udp::socket socket(io);
  socket.open(any_port.protocol(), error);
  if (!error) socket.bind(any_port, error);
  return !error;
}

// Connecting a UDP socket sends nothing: the kernel picks the route, and with it our address.
bool routes_to_itself(const asio::ip::address& address) {
  constexpr unsigned short kAnyPort = 9;
  asio::io_context io;
  boost::system::error_code error;
  udp::socket socket(io);
  socket.connect({address, kAnyPort}, error);
  return !error && socket.local_endpoint(error).address() == address;
}

// By what the kernel allows, and not by a list of addresses, which needs a netlink socket. Where it
// lets everybody bind everything (net.ipv4.ip_nonlocal_bind), the route has to do: it does not know
// a second address of the same subnet.
bool is_of_this_host(const asio::ip::address& address) {
  if (address.is_loopback()) return true;
  const auto nobodys = asio::ip::make_address(address.is_v4() ? "192.0.2.1" : "2001:db8::1");
  return can_bind(nobodys) ? routes_to_itself(address) : can_bind(address);
}

}  // namespace

void OwnListeners::add(const tcp::endpoint& listener) {
  const auto plain = unmapped(listener);
  listeners_.emplace(plain.port(), plain.address());
}

void OwnListeners::remove(const tcp::endpoint& listener) {
  const auto plain = unmapped(listener);
  const auto [begin, end] = listeners_.equal_range(plain.port());
  const auto found = std::find_if(
      begin, end, [&plain](const auto& known) { return known.second == plain.address(); });
  listeners_.erase(found);
}

std::string OwnListeners::objection_to(const tcp::endpoint& address) const {
  return hear(unmapped(address)) ? to_string(address) + " is where this process listens" : "";
}

bool OwnListeners::hear(const tcp::endpoint& address) const {
  const auto [begin, end] = listeners_.equal_range(address.port());
  return std::any_of(begin, end, [&address](const auto& known) {
    const auto& listener = known.second;
    if (!listener.is_unspecified()) return listener == address.address();
    // [::] takes IPv4 as well (listen.h).
    const bool takes_family = listener.is_v6() || address.address().is_v4();
    return takes_family && is_of_this_host(address.address());
  });
}

}  // namespace ambbpf
