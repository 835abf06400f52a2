// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "userspace/support/asio.h"

namespace ambbpf {

// Every bit of it depends on every bit of `number`, and is the same on every host and in every
// version: SplitMix64 (Steele, Lea and Flood, 2014).
constexpr std::uint64_t mixed(std::uint64_t number) {
  number += 0x9e37'79b9'7f4a'7c15;
  number = (number ^ (number >> 30U)) * 0xbf58'476d'1ce4'e5b9;
  number = (number ^ (number >> 27U)) * 0x94d0'49bb'1331'11eb;
  return number ^ (number >> 31U);
}

// Likewise, of a host's address. An IPv4 address is the same in IPv6's clothes.
inline std::uint64_t hash_of(const asio::ip::address& address) {
  const auto bytes = address.is_v6()
                         ? address.to_v6().to_bytes()
                         : make_address_v6(asio::ip::v4_mapped, address.to_v4()).to_bytes();
  std::uint64_t hash = 0;
  for (std::size_t half = 0; half < 2; ++half) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 8; ++i) word = word << 8U | bytes[half * 8 + i];
    hash = mixed(hash ^ word);
  }
  return hash;
}

}  // namespace ambbpf
