// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/histogram.h"

#include <algorithm>

namespace ambbpf {

using namespace std::chrono_literals;

Histogram::Bounds Histogram::latencies() {
  static constexpr std::array<std::chrono::microseconds, 14> kBounds{
      100us, 250us, 500us, 1ms, 2500us, 5ms, 10ms, 25ms, 50ms, 100ms, 250ms, 500ms, 1s, 2500ms};
  static_assert(kBounds.size() <= kMostBounds);
  return kBounds;
}

Histogram::Bounds Histogram::lives() {
  static constexpr std::array<std::chrono::microseconds, 10> kBounds{10ms,  100ms, 1s, 10s, 1min,
                                                                     10min, 1h,    6h, 24h, 168h};
  static_assert(kBounds.size() <= kMostBounds);
  return kBounds;
}

void Histogram::observe(std::chrono::nanoseconds took) {
  const auto bucket = std::ranges::lower_bound(bounds_, took) - bounds_.begin();
  in_buckets_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  sum_us_.fetch_add(static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0)),
                    std::memory_order_relaxed);
}

Histogram::Counts Histogram::counts() const {
  Counts counts;
  for (const auto bound : bounds_)
    counts.bounds_us.push_back(static_cast<std::uint64_t>(bound.count()));
  for (std::size_t i = 0; i <= bounds_.size(); ++i)
    counts.in_buckets.push_back(in_buckets_[i].load(std::memory_order_relaxed));
  counts.sum_us = sum_us_.load(std::memory_order_relaxed);
  return counts;
}

}  // namespace ambbpf
