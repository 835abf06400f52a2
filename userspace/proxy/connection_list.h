// SPDX-License-Identifier: Apache-2.0
// What the open connections of one thread do: asked for now and then, at no cost to those who are
// served.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "userspace/dataplane/connection_facts.h"
#include "userspace/dataplane/relay.h"
#include "userspace/endpoints/service.h"

namespace ambbpf {

struct ConnectionsWanted {
  enum class By { kBytes, kAge, kRate };

  std::vector<std::shared_ptr<const Service>> services;  // of these only
  By by = By::kBytes;
  std::size_t limit = 100;  // of those that are listed: the highest; 0: sums only, and at once
};

struct BytesBothWays {
  std::uint64_t to_backend = 0;
  std::uint64_t to_client = 0;

  std::uint64_t sum() const { return to_backend + to_client; }
};

struct ListedConnection {
  std::uint64_t key = 0;  // what it is listed by
  std::string service;
  tcp::endpoint backend;
  BytesBothWays a_second;  // in ConnectionList::kWindow before
  ConnectionFacts facts;
};

struct ConnectionList {
  static constexpr std::chrono::seconds kWindow{1};

  // Of all open connections of a service, listed or not.
  struct Sums {
    std::uint64_t open = 0;
    BytesBothWays moved;
    std::uint64_t directions_in_kernel = 0;
  };

  std::vector<ListedConnection> connections;      // the highest first
  std::unordered_map<const Service*, Sums> sums;  // of those that have any
  std::unordered_map<ConnectionId, BytesBothWays>
      samples;  // for the asker to free: it takes a while
};

// On the thread of `relay`, whose connections' owners are Admissions. It looks at some of them and
// lets others have their turn, twice at all of them, a second apart, so that it knows their rates.
// Memory: some 50 bytes for each connection that has moved any, and 500 for each that is listed.
awaitable<ConnectionList> list_connections(const Relay& relay, ConnectionsWanted wanted);

}  // namespace ambbpf
