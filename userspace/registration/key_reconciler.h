// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/etcd/client.h"
#include "userspace/etcd/types.h"
#include "userspace/etcd/writer.h"
#include "userspace/registration/registered_keys.h"
#include "userspace/support/backoff.h"

namespace ambbpf {

struct ReconcilerStatus {
  std::string api;                             // "v2", "v3"; empty before the first answer
  std::string from;                            // the member last talked to
  bool failing = false;                        // etcd is out of reach, or refuses a key
  std::optional<Clock::time_point> heard_at;   // the last good answer
  std::optional<Clock::time_point> failed_at;  // with last_error
  std::string last_error;                      // empty: none since the start
  std::uint64_t writes = 0;                    // keys written, first or again
  std::uint64_t keepalives = 0;  // rounds of TTL refreshes (v2) or of lease keepalives (v3)
  std::uint64_t lost = 0;        // keys that went, to be written again
  std::uint64_t deletes = 0;
  std::uint64_t failures = 0;
};

// Keeps keys in etcd for as long as they are wanted and this process lives: with a TTL that is
// refreshed (v2), or one lease that is kept alive (v3). A key is deleted only while it is ours.
// Whoever wrote a key last has it: a key that another writes after us is left to that one, until it
// is gone. For the thread of `client`, which outlives *this.
class KeyReconciler {
 public:
  // `ttl`: at least 1 s. EtcdApi::kAuto: v2 where it is served, as old proxies read only that.
  KeyReconciler(EtcdClient& client, EtcdApi api, EtcdOptions options, std::chrono::seconds ttl);

  // Which keys below a directory are known to be of earlier processes like this one: once the first
  // keys are wanted, those that are not are deleted, as if they were our own. To be called at most
  // once.
  struct LeftOver {
    std::string directory;
    std::function<bool(const OwnKey&)> is_own;
  };
  void clear_left_over(LeftOver left_over) { left_over_ = std::move(left_over); }

  // Makes `keys` the whole of what is wanted; takes effect at once. `why_not`: of those that are
  // no longer, for the log.
  void want(const WantedKeys& keys, const Reasons& why_not = {});

  // Awaited once etcd has answered, before the first key is written.
  void before_writing(std::function<awaitable<void>()> work) { before_writing_ = std::move(work); }

  // Neither writes nor refreshes any more, but for withdraw(). Returns when nothing of that is
  // under way.
  awaitable<void> stand_still();

  // Ends only after withdraw(); errors are retried with back-off and shown in status(). *this
  // outlives it.
  awaitable<void> run();

  // Wants nothing any more, and returns when nothing of ours stands in etcd, or at the deadline.
  // run() goes on meanwhile, and ends then.
  awaitable<void> withdraw(Clock::time_point deadline);

  ReconcilerStatus status() const;
  std::vector<RegisteredKey> keys() const { return keys_.list(); }

 private:
  awaitable<Backoff::Delay> turn();
  awaitable<Result<void>> work();
  awaitable<Result<void>> open();
  awaitable<Result<void>> carry_out(RegisteredKeys::Task task);
  awaitable<Result<void>> keep_alive();
  awaitable<Result<void>> adopt_left_over();
  awaitable<Result<void>> finish();
  void heard() { status_.heard_at = Clock::now(); }
  void all_done();
  void refused(const EtcdFound& found);
  Backoff::Delay failed(const Error& error);
  const std::string& url() const { return options_.urls[url_]; }

  const EtcdOptions options_;
  std::vector<std::unique_ptr<EtcdWriter>> writers_;  // by preference
  EtcdWriter* writer_ = nullptr;                      // open at url(); null: none is
  RegisteredKeys keys_;
  ReconcilerStatus status_;

  std::size_t url_ = 0;
  std::size_t failed_in_round_ = 0;  // URLs in a row
  std::string errors_in_round_;
  Backoff backoff_;
  std::optional<Clock::time_point> outage_since_;
  Clock::time_point keepalive_at_;  // when the next is due

  asio::steady_timer pause_;      // of run()
  asio::steady_timer withdrawn_;  // waited on by withdraw()
  asio::steady_timer turned_;     // waited on by stand_still()
  std::function<awaitable<void>()> before_writing_;
  std::optional<LeftOver> left_over_;  // still to be looked for
  bool wanted_ = false;                // want() has been called
  bool changed_ = false;               // since run() last looked
  bool turning_ = false;               // run() is at work
  bool still_ = false;
  bool withdrawing_ = false;
  bool finished_ = false;  // nothing is wanted, and nothing of ours stands
  bool withdrawal_over_ = false;
};

}  // namespace ambbpf
