// SPDX-License-Identifier: Apache-2.0
// Who may connect to a service, and how often: counted for all threads together.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "userspace/endpoints/network.h"
#include "userspace/support/asio.h"

namespace ambbpf {

struct ClientLimitSettings {
  std::vector<Network> allow{};        // empty: everyone …
  std::vector<Network> deny{};         // … but those
  std::uint32_t most_of_a_client = 0;  // open connections; 0: any number
  std::uint32_t rate = 0;              // new connections a second; 0: any number
  std::uint32_t rate_of_a_client = 0;  // …

  bool limits_anyone() const { return *this != ClientLimitSettings(); }
  bool operator==(const ClientLimitSettings&) const = default;
};

// Lets a second's worth through at once, then one each time that another may be (GCRA, as ITU-T
// I.371 has it: one point in time is all its state).
class RateLimit {
 public:
  bool has_room(std::uint32_t a_second, Clock::time_point now) const;
  void pass(std::uint32_t a_second, Clock::time_point now);
  // Nothing of what has passed counts any more.
  bool is_as_new(Clock::time_point now) const { return next_ <= now; }

 private:
  Clock::time_point next_{};  // when nothing that has passed counts any more
};

// Any thread may call it.
class ClientLimits : public std::enable_shared_from_this<ClientLimits> {
 public:
  enum class Verdict { kWelcome, kDenied, kTooMany, kTooFast, kTooFastForAll };

  // Clients that are remembered at most. Those with open connections always are; of the others
  // those that came last, and whoever is forgotten may come as often as a new one.
  static constexpr std::size_t kMostClients = 65536;

  // Counts an open connection of its client for as long as it lives.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept = default;
    Place& operator=(Place&& other) noexcept {
      std::swap(limits_, other.limits_);
      std::swap(client_, other.client_);
      return *this;
    }
    ~Place();

   private:
    friend class ClientLimits;
    Place(std::shared_ptr<ClientLimits> limits, const asio::ip::address_v6& client)
        : limits_(std::move(limits)), client_(client.to_bytes()) {}

    std::shared_ptr<ClientLimits> limits_;       // null: nobody counts
    asio::ip::address_v6::bytes_type client_{};  // without a scope, for which there is no use
  };

  struct Answer {
    Verdict verdict = Verdict::kWelcome;
    Place place{};
  };

  // For new connections.
  void change(const ClientLimitSettings& settings);

  // A client of IPv6 is its network, the first 64 bits: a host may have as many addresses as it
  // likes.
  Answer ask(const asio::ip::address& client, Clock::time_point now);

  std::size_t clients() const;  // that are remembered

 private:
  struct Client {
    asio::ip::address_v6 address;
    std::uint32_t open = 0;
    RateLimit rate;
  };
  using Clients = std::list<Client>;  // who came last is at the end

  // With mutex_ held:
  bool is_denied(const asio::ip::address& address) const;
  Client& seen_now(const asio::ip::address_v6& address);
  void forget_one();
  void leave(const asio::ip::address_v6& address);

  mutable std::mutex mutex_;
  ClientLimitSettings settings_;
  RateLimit rate_;
  Clients clients_;
  std::unordered_map<asio::ip::address_v6, Clients::iterator> by_address_;
};

}  // namespace ambbpf
