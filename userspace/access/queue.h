// SPDX-License-Identifier: Apache-2.0
// Between the threads that serve connections and the one that writes the access log.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "userspace/access/record.h"

namespace ambbpf {

// Since the start of the process, whatever becomes of its access log. Any thread may read them.
struct AccessCounts {
  std::atomic<std::uint64_t> lines{0};  // written
  std::atomic<std::uint64_t> lost{0};   // that found no room, as those before were not taken
  std::atomic<Clock::rep> lost_at{0};   // the last one

  void lose(std::uint64_t some);
};

// Bounded: what finds no room is lost. Nobody who adds waits for the writer.
class AccessQueue {
 public:
  static constexpr std::size_t kMost = 16384;  // records, some 160 bytes each

  explicit AccessQueue(std::shared_ptr<AccessCounts> counts) : counts(std::move(counts)) {}

  void add(AccessRecord record);
  void reopen();
  void end();  // when what is in it has been written
  void wait_for_end(std::chrono::milliseconds at_most);
  std::string trouble() const;

  // For the writer.
  struct Orders {
    bool reopen = false;
    bool end = false;
  };
  // Waits until there is something to do, and then a moment for more of it. `batch` is filled if it
  // is empty; a writer that has something left does not wait for records.
  Orders wait(std::vector<AccessRecord>& batch, bool has_some_left);
  void set_trouble(const std::string& trouble);  // empty: none
  void ended();

  const std::shared_ptr<AccessCounts> counts;

 private:
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_wake_;
  std::vector<AccessRecord> records_;
  Orders orders_;
  bool ended_ = false;
  std::string trouble_;
};

}  // namespace ambbpf
