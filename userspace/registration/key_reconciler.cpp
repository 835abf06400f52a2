// SPDX-License-Identifier: Apache-2.0
#include "userspace/registration/key_reconciler.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/etcd/v2_write.h"
#include "userspace/etcd/v3_write.h"
#include "userspace/support/log.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// A member that hangs must leave time to ask the next one before the TTL is over.
milliseconds timeout_for(std::chrono::seconds ttl, const EtcdOptions& options) {
  return std::min(options.request_timeout, milliseconds(ttl) / 4);
}

std::vector<std::unique_ptr<EtcdWriter>> make_writers(EtcdClient& client, EtcdApi api,
                                                      std::chrono::seconds ttl,
                                                      milliseconds timeout) {
  std::vector<std::unique_ptr<EtcdWriter>> writers;
  if (api != EtcdApi::kV3) writers.push_back(std::make_unique<EtcdV2Writer>(client, ttl, timeout));
  if (api != EtcdApi::kV2) writers.push_back(std::make_unique<EtcdV3Writer>(client, ttl, timeout));
  return writers;
}

}  // namespace

// In an outage nobody is asked more often, in the long run, than the keepalives would have.
KeyReconciler::KeyReconciler(EtcdClient& client, EtcdApi api, EtcdOptions options,
                             std::chrono::seconds ttl)
    : options_(std::move(options)),
      writers_(make_writers(client, api, ttl, timeout_for(ttl, options_))),
      backoff_(100ms, std::min<milliseconds>(5s, milliseconds(ttl) / 3)),
      pause_(client.executor()),
      withdrawn_(client.executor()),
      turned_(client.executor()) {}

void KeyReconciler::want(const WantedKeys& keys, const Reasons& why_not) {
  keys_.want(keys, why_not);
  wanted_ = true;
  changed_ = true;
  pause_.cancel();
}

awaitable<void> KeyReconciler::run() {
  while (!withdrawal_over_) {
    changed_ = false;
    turning_ = true;
    const auto delay = co_await turn();
    turning_ = false;
    turned_.cancel();
    if (changed_ || withdrawal_over_ || delay <= 0ms) continue;
    pause_.expires_after(delay);
    co_await pause_.async_wait(as_tuple);
  }
}

// Does what is due, and tells how long there is nothing to do.
awaitable<Backoff::Delay> KeyReconciler::turn() {
  const auto worked = co_await work();
  if (!worked) co_return failed(worked.error());
  co_return std::chrono::ceil<milliseconds>(keepalive_at_ - Clock::now());
}

awaitable<Result<void>> KeyReconciler::work() {
  for (;;) {
    Result<void> done;
    if (still_ && !withdrawing_) {
      keepalive_at_ = Clock::now() + 1h;
      co_return done;
    }
    if (withdrawing_ && keys_.empty()) co_return co_await finish();
    if (!writer_) {
      done = co_await open();
    } else if (Clock::now() >= keepalive_at_) {
      done = co_await keep_alive();
    } else if (left_over_ && wanted_ && !withdrawing_) {
      done = co_await adopt_left_over();
    } else if (before_writing_ && wanted_) {
      co_await std::exchange(before_writing_, nullptr)();
    } else if (auto task = keys_.take_next()) {
      done = co_await carry_out(std::move(*task));
    } else {
      all_done();
      co_return done;
    }
    if (!done) co_return done;
  }
}

awaitable<Result<void>> KeyReconciler::open() {
  for (const auto& writer : writers_) {
    const auto served = co_await writer->open(url());
    if (!served) co_return tl::unexpected(served.error());
    if (!*served) continue;
    heard();
    writer_ = writer.get();
    status_.api = writer->name();
    keepalive_at_ = Clock::now();
    co_return Result<void>();
  }
  if (writers_.size() > 1) co_return fail(url() + " serves neither of etcd's APIs, v2 and v3");
  co_return fail(fmt::format("{} does not serve etcd's API {}", url(), writers_[0]->name()));
}

awaitable<Result<void>> KeyReconciler::carry_out(RegisteredKeys::Task task) {
  using TaskKind = RegisteredKeys::Task::Kind;
  const auto key = task.key;
  Result<EtcdFound> found;
  if (task.kind == TaskKind::kRemove) {
    found = co_await writer_->remove(url(), key);
    if (found) keys_.remove_done(task, *found);
  } else {
    const auto guard = task.kind == TaskKind::kPut ? PutGuard::kNone : PutGuard::kUnlessOthers;
    found = co_await writer_->put(url(), key, guard);
    if (found) keys_.put_done(task, *found);
  }
  if (!found) co_return tl::unexpected(found.error());
  heard();
  refused(*found);
  co_return Result<void>();
}

awaitable<Result<void>> KeyReconciler::keep_alive() {
  const auto begin = Clock::now();
  keys_.retry_refused();
  const auto keys = keys_.to_keep();
  if (!keys.empty()) {
    const auto found = co_await writer_->keep(url(), keys);
    if (!found) {
      keys_.keep_failed(keys);
      co_return tl::unexpected(found.error());
    }
    heard();
    ++status_.keepalives;
    keys_.keep_done(keys, *found);
    for (const auto& one : *found) refused(one);
  }
  keepalive_at_ = begin + milliseconds(writer_->ttl()) / 3;
  co_return Result<void>();
}

awaitable<Result<void>> KeyReconciler::adopt_left_over() {
  auto keys = co_await writer_->list(url(), left_over_->directory);
  if (!keys) co_return tl::unexpected(keys.error());
  heard();
  std::erase_if(*keys, [this](const OwnKey& key) { return !left_over_->is_own(key); });
  keys_.adopt(*keys);
  left_over_.reset();
  co_return Result<void>();
}

awaitable<Result<void>> KeyReconciler::finish() {
  for (const auto& writer : writers_) {
    const auto closed = co_await writer->close(url());
    if (!closed) co_return tl::unexpected(closed.error());
  }
  finished_ = true;
  keepalive_at_ = Clock::now() + 1h;
  withdrawn_.cancel();
  co_return Result<void>();
}

// Only this ends an outage: a member that has lost its cluster still answers some questions.
void KeyReconciler::all_done() {
  failed_in_round_ = 0;
  errors_in_round_.clear();
  backoff_.reset();
  if (!outage_since_) return;
  const std::chrono::duration<double> lasted = Clock::now() - *outage_since_;
  log::info("etcd {} at {} is written to again after {:.1f} s", status_.api, url(), lasted.count());
  outage_since_.reset();
}

void KeyReconciler::refused(const EtcdFound& found) {
  if (found.kind != EtcdFound::Kind::kRefused) return;
  ++status_.failures;
  status_.failed_at = Clock::now();
  status_.last_error = found.text;
}

// The next URL is tried at once; a whole round of URLs that failed is a reason to wait.
Backoff::Delay KeyReconciler::failed(const Error& error) {
  ++status_.failures;
  status_.failed_at = Clock::now();
  status_.last_error = error.message();
  log::debug("etcd {}: {}", url(), status_.last_error);
  errors_in_round_ += (errors_in_round_.empty() ? "" : "; ") + status_.last_error;
  writer_ = nullptr;
  url_ = (url_ + 1) % options_.urls.size();
  if (++failed_in_round_ < options_.urls.size()) return 0ms;
  failed_in_round_ = 0;
  const auto errors = std::exchange(errors_in_round_, {});
  if (!outage_since_) {
    outage_since_ = Clock::now();
    log::warn("etcd cannot be written to: {}; keys that wait: {}{}", errors, keys_.size(),
              options_.advice);
  }
  return backoff_.next();
}

awaitable<void> KeyReconciler::stand_still() {
  still_ = true;
  while (turning_) {
    turned_.expires_at(Clock::time_point::max());
    co_await turned_.async_wait(as_tuple);
  }
}

awaitable<void> KeyReconciler::withdraw(Clock::time_point deadline) {
  withdrawing_ = true;
  finished_ = false;
  want({});
  withdrawn_.expires_at(deadline);
  while (!finished_ && Clock::now() < deadline) co_await withdrawn_.async_wait(as_tuple);
  withdrawal_over_ = true;
  pause_.cancel();
}

ReconcilerStatus KeyReconciler::status() const {
  auto status = status_;
  status.from = url();
  status.failing = outage_since_ || keys_.any_refused();
  status.writes = keys_.counts().writes;
  status.lost = keys_.counts().lost;
  status.deletes = keys_.counts().deletes;
  return status;
}

}  // namespace ambbpf
