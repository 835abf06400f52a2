// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "userspace/etcd/client.h"
#include "userspace/etcd/types.h"
#include "userspace/support/backoff.h"

namespace ambbpf {

// What is to stand in etcd: whole keys ("/services/web/web-1") and their values.
using WantedKeys = std::map<std::string, std::string>;

struct KeptKey {
  enum class State {
    kPending,     // wanted, and not yet written or lost
    kKept,        // in etcd, and ours
    kOvertaken,   // another registrar has written it after us; we step in when it is gone
    kWithdrawing  // no longer wanted, and still to be deleted
  };
  std::string key;
  std::string value;
  State state = State::kPending;
  std::string note;  // of kOvertaken: what stands there; of kPending: why it could not be written
};

struct KeeperStatus {
  std::string api;   // "v2", "v3"; empty before the first answer
  std::string from;  // the member last talked to
  bool failing = false;
  std::optional<Clock::time_point> heard_at;   // the last good answer
  std::optional<Clock::time_point> failed_at;  // with last_error
  std::string last_error;                      // empty: none since the start
  std::uint64_t writes = 0;                    // keys written, first or again
  std::uint64_t beats = 0;                     // refreshes and keepalives
  std::uint64_t lost = 0;                      // leases and keys that went and were written again
  std::uint64_t deletes = 0;
  std::uint64_t failures = 0;
};

// Keeps keys in etcd for as long as they are wanted and this process lives: with a TTL that is
// refreshed (v2), or one lease that is kept alive (v3). A key is deleted only while it is ours.
class KeyKeeper {
 public:
  // Makes `keys` the whole of what is wanted; takes effect at once.
  void want(WantedKeys keys);

  // Never ends; errors are retried with back-off and shown in status(). *this outlives it.
  awaitable<void> run();

  // Wants nothing any more, and returns when nothing of ours stands in etcd, or at the deadline.
  awaitable<void> withdraw(Clock::time_point deadline);

  KeeperStatus status() const;
  std::vector<KeptKey> keys() const;
};

}  // namespace ambbpf
