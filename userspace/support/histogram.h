// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

namespace ambbpf {

// How long something took, as often as it happened: counted in buckets, by any thread, and read by
// any other.
class Histogram {
 public:
  using Bounds = std::span<const std::chrono::microseconds>;  // ascending, at most kMostBounds
  static constexpr std::size_t kMostBounds = 15;

  // Of what takes a part of a second: connecting, putting a change in force.
  static Bounds latencies();
  // Of what takes up to days: a connection's life.
  static Bounds lives();

  // `bounds` outlive *this.
  explicit Histogram(Bounds bounds) : bounds_(bounds) {}

  void observe(std::chrono::nanoseconds took);

  struct Counts {
    std::vector<std::uint64_t> bounds_us;
    std::vector<std::uint64_t> in_buckets;  // up to each bound; one more: beyond all of them
    std::uint64_t sum_us = 0;
  };
  Counts counts() const;

 private:
  const Bounds bounds_;
  std::array<std::atomic<std::uint64_t>, kMostBounds + 1> in_buckets_{};
  std::atomic<std::uint64_t> sum_us_{0};
};

}  // namespace ambbpf
