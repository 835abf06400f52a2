// SPDX-License-Identifier: Apache-2.0
// What is asked of the resolver, and what it answers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "userspace/support/asio.h"
#include "userspace/support/result.h"

namespace ambbpf {

struct DnsQuestion {
  enum class Kind {
    kAddresses,  // A, AAAA, the hosts file; an address, also one of IPv6 with its zone, is its own
    kOnlyIpv4,   // A alone, …
    kOnlyIpv6,   // AAAA alone, …
    kServices,   // SRV
  };
  Kind kind = Kind::kAddresses;
  std::string name;  // with a dot at its end: no search domain is tried

  bool operator<(const DnsQuestion& other) const {
    return std::tie(kind, name) < std::tie(other.kind, other.name);
  }
};

// RFC 2782.
struct SrvRecord {
  std::uint16_t priority = 0;  // the lowest comes first
  std::uint16_t weight = 0;    // in comparison to the others' of its priority
  unsigned short port = 0;
  std::string target;  // a name without a dot at its end; empty: there is no service ("." in DNS)

  bool operator==(const SrvRecord&) const = default;
  bool operator<(const SrvRecord& other) const {
    return std::tie(priority, weight, port, target) <
           std::tie(other.priority, other.weight, other.port, other.target);
  }
};

// One of the two lists is filled, as asked; an answer without any is a failure, but to a question
// for addresses of one kind: there are none then, for certain.
struct DnsAnswer {
  std::vector<asio::ip::address> addresses{};  // as RFC 6724 sorts them
  std::vector<SrvRecord> services{};           // sorted
  Clock::time_point heard{};
  Clock::time_point until{};  // it counts until then
};

// The longest and the shortest time for which an answer counts, whatever its TTL.
inline constexpr std::chrono::seconds kShortestAge{1};
inline constexpr std::chrono::seconds kLongestAge{300};

// Fills `until`. A TTL is in seconds.
void set_age(DnsAnswer& answer, std::int64_t ttl, Clock::time_point now);

// The records of an answer as DNS sends it, with the smallest of their TTLs and those of the
// aliases that lead to them. Names that are no names, and ports of 0, are left out.
struct SrvAnswer {
  std::vector<SrvRecord> records;
  std::int64_t ttl = 0;  // seconds
};
Result<SrvAnswer> decode_srv_answer(std::span<const unsigned char> message);

}  // namespace ambbpf
