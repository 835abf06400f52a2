// SPDX-License-Identifier: Apache-2.0
#include "tests/support/free_port.h"

#include <atomic>
#include <random>

namespace ambbpf::test {
namespace {

constexpr unsigned kFirst = 15000;
constexpr unsigned kCount = 17000;  // up to net.ipv4.ip_local_port_range

bool is_free(const tcp::endpoint& address) {
  asio::io_context io;
  boost::system::error_code error;
  tcp::acceptor acceptor(io);
  acceptor.open(address.protocol(), error);
  acceptor.bind(address, error);
  return !error;
}

}  // namespace

tcp::endpoint free_address() {
  static std::atomic<unsigned> next{std::random_device{}() % kCount};
  for (;;) {
    const auto port = static_cast<unsigned short>(kFirst + next++ % kCount);
    const tcp::endpoint address(asio::ip::address_v4::loopback(), port);
    if (is_free(address)) return address;
  }
}

unsigned short free_port() { return free_address().port(); }

}  // namespace ambbpf::test
