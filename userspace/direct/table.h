// SPDX-License-Identifier: Apache-2.0
// What the kernel programs may give out: choices, written where they read them.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "userspace/direct/programs.h"
#include "userspace/endpoints/choice.h"

namespace ambbpf {

// What has become of the connections that went straight to a backend, since it is known.
struct DirectCounts {
  std::uint64_t connections_now = 0;
  std::uint64_t connections_total = 0;  // established
  std::uint64_t failed = 0;
  std::uint64_t bytes_to_backend = 0;  // of closed connections
  std::uint64_t bytes_to_client = 0;
  std::uint64_t connect_us = 0;  // on average
  std::uint64_t rtt_us = 0;      // of the last one
};

// The first so many of a range that are free.
class FreeRanges {
 public:
  explicit FreeRanges(std::uint32_t size) { free_[0] = size; }
  std::optional<std::uint32_t> take(std::uint32_t count);
  void give_back(std::uint32_t first, std::uint32_t count);

 private:
  std::map<std::uint32_t, std::uint32_t> free_;  // first -> count
};

// For the thread of `programs`, which outlives *this.
class DirectTable {
 public:
  using ServiceIndex = std::uint32_t;

  using IsLocal = std::function<bool(const asio::ip::address&)>;

  DirectTable(DirectPrograms& programs, IsLocal is_local);
  void judge_addresses();  // is_local may say something else now

  Result<ServiceIndex> add_service();
  // `kept`: the backends of the service, chosen or not, which keep their counts.
  Result<void> publish(ServiceIndex service, const Choice& choice,
                       const std::vector<std::shared_ptr<Backend>>& kept);
  void remove_service(ServiceIndex service);
  bool gives_out(ServiceIndex service) const;  // it has been published with an endpoint

  // Where a backend stands for the programs, which name it by its index.
  struct Slot {
    std::shared_ptr<Backend> backend;
    ServiceIndex service = 0;
  };
  // Null: it is unknown, or unknown by now. `use`: as in direct_backend.
  const Slot* slot(std::uint32_t index, std::uint32_t use) const;
  // All of a backend, which may be kept no more, but has connections.
  std::vector<std::uint32_t> slots_of(const Backend& backend) const;

  // The programs pass over those that are in doubt: that have not answered of late.
  std::vector<std::shared_ptr<Backend>> in_doubt(ServiceIndex service) const;
  void answered(ServiceIndex service, const Backend& backend);
  void doubt(const Backend& backend);
  bool is_local(const Backend& backend) const {
    return (kind_of(backend.address().address()) & DIRECT_LOCAL) != 0;
  }
  // Whether one that is in doubt was passed over since unwanted().
  bool is_wanted(ServiceIndex service) const;
  void unwanted(ServiceIndex service);

  DirectCounts counts(ServiceIndex service, const Backend& backend) const;
  std::uint64_t sent_on(ServiceIndex service) const;  // connects
  std::uint64_t left(ServiceIndex service) const;     // connects that went to the listener

 private:
  struct Turns {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  // Of no use any more, and not to be used anew before then.
  template <class What>
  struct Left {
    What what;
    Clock::time_point until;
  };
  struct Served {
    Turns turns;
    std::map<const Backend*, std::uint32_t> slots;  // of those kept
  };

  Result<std::uint32_t> new_slot(ServiceIndex service, const std::shared_ptr<Backend>& backend);
  direct_backend* find(ServiceIndex service, const Backend& backend) const;  // null: not kept
  Result<Turns> write_turns(const Choice& choice, const Served& served);
  void show(ServiceIndex service, const Turns& turns);
  void leave(std::uint32_t slot);
  void reuse_what_was_left();
  __u32 kind_of(const asio::ip::address& address) const;
  bool is_idle(std::uint32_t slot) const;

  DirectPrograms& programs_;
  const IsLocal is_local_;
  std::vector<ServiceIndex> free_services_;
  std::map<ServiceIndex, Served> served_;
  FreeRanges free_turns_;
  std::vector<std::uint32_t> free_slots_;
  std::map<std::uint32_t, Slot> slots_;  // by index
  std::uint32_t last_use_ = 0;
  std::deque<Left<Turns>> left_turns_;
  std::deque<Left<ServiceIndex>> left_services_;
  std::vector<Left<std::uint32_t>> left_slots_;
};

}  // namespace ambbpf
