// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/access/lines.h"
#include "userspace/access/queue.h"
#include "userspace/access/targets.h"
#include "userspace/support/log_limit.h"

namespace ambbpf {

// The thread that writes an access log. What its target does not take is kept, and offered again
// ten times a second, while the queue fills.
class AccessWriter {
 public:
  AccessWriter(std::shared_ptr<AccessQueue> queue, const std::string& target, AccessFormat format);
  void run();  // until the queue has ended

 private:
  std::string_view left() const {
    return std::string_view(text_.data(), text_.size()).substr(written_);
  }
  bool has_some_left() const { return written_ < text_.size() || next_ < batch_.size(); }
  void put_some_into_words();
  bool write_some();  // false: not now
  void reopen();
  void taken(std::size_t size);
  void refused(const Error& why);
  void tell_what_is_lost();
  void give_up();

  const std::shared_ptr<AccessQueue> queue_;
  const std::string name_;
  AccessTarget target_;
  AccessLines lines_;
  std::vector<AccessRecord> batch_;
  std::size_t next_ = 0;                         // of batch_, to be put into words
  fmt::memory_buffer text_;                      // some of batch_ in words,
  std::size_t written_ = 0;                      // so much of which has been taken
  std::optional<Clock::time_point> full_since_;  // it takes nothing, and may yet
  bool is_refused_ = false;
  bool ends_ = false;
  std::uint64_t lost_told_;
  LogLimit refusals_log_;
  LogLimit losses_log_;
};

}  // namespace ambbpf
