// SPDX-License-Identifier: Apache-2.0
#include "userspace/access/queue.h"

#include <utility>

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

// Lines are written together, and the writer is woken as seldom.
constexpr auto kGather = 100ms;

}  // namespace

void AccessCounts::lose(std::uint64_t some) {
  lost.fetch_add(some, std::memory_order_relaxed);
  lost_at.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
}

void AccessQueue::add(AccessRecord record) {
  std::size_t size = 0;
  {
    const std::scoped_lock lock(mutex_);
    if (records_.size() < kMost) {
      records_.push_back(std::move(record));
      size = records_.size();
    }
  }
  if (size == 0) return counts->lose(1);
  if (size == 1 || size == kMost / 2) wake_.notify_one();
}

void AccessQueue::reopen() {
  {
    const std::scoped_lock lock(mutex_);
    orders_.reopen = true;
  }
  wake_.notify_one();
}

void AccessQueue::end() {
  {
    const std::scoped_lock lock(mutex_);
    orders_.end = true;
  }
  wake_.notify_one();
}

void AccessQueue::wait_for_end(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  ended_wake_.wait_for(lock, at_most, [this] { return ended_; });
}

std::string AccessQueue::trouble() const {
  const std::scoped_lock lock(mutex_);
  return trouble_;
}

AccessQueue::Orders AccessQueue::wait(std::vector<AccessRecord>& batch, bool has_some_left) {
  std::unique_lock lock(mutex_);
  const auto is_ordered = [this] { return orders_.reopen || orders_.end; };
  wake_.wait(lock, [&] { return is_ordered() || has_some_left || !records_.empty(); });
  // Once ended, it is not woken any more: what is left is offered as often as before.
  const bool ends = orders_.end;
  wake_.wait_for(lock, kGather, [&] {
    return orders_.reopen || orders_.end != ends || (ends && !has_some_left) ||
           (!has_some_left && records_.size() >= kMost / 2);
  });
  if (batch.empty()) std::swap(batch, records_);
  return {.reopen = std::exchange(orders_.reopen, false), .end = orders_.end};
}

void AccessQueue::set_trouble(const std::string& trouble) {
  const std::scoped_lock lock(mutex_);
  trouble_ = trouble;
}

void AccessQueue::ended() {
  const std::scoped_lock lock(mutex_);
  ended_ = true;
  ended_wake_.notify_all();
}

}  // namespace ambbpf
