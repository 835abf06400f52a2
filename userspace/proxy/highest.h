// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace ambbpf {

// Of all that it is offered it keeps those with the highest keys, no more than `most`.
template <class T>
class Highest {
 public:
  using Entry = std::pair<std::uint64_t, T>;

  explicit Highest(std::size_t most) : most_(most) {}

  // Of equal keys those that were offered first stay.
  void offer(std::uint64_t key, T value) {
    if (most_ == 0) return;
    if (heap_.size() == most_) {
      if (key <= heap_.front().first) return;
      std::pop_heap(heap_.begin(), heap_.end(), higher);
      heap_.pop_back();
    }
    heap_.emplace_back(key, std::move(value));
    std::push_heap(heap_.begin(), heap_.end(), higher);
  }

  // The highest first; nothing is left.
  std::vector<Entry> take() {
    std::sort_heap(heap_.begin(), heap_.end(), higher);
    return std::exchange(heap_, {});
  }

 private:
  static bool higher(const Entry& a, const Entry& b) { return a.first > b.first; }

  std::size_t most_;
  std::vector<Entry> heap_;  // the lowest in front
};

}  // namespace ambbpf
