// SPDX-License-Identifier: Apache-2.0
// The access log: a line for each connection at its end, written by a thread of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "userspace/access/lines.h"
#include "userspace/access/queue.h"
#include "userspace/access/record.h"
#include "userspace/support/result.h"

namespace ambbpf {

struct AccessLogSettings {
  std::string target;  // a path, "syslog" or "journald"; empty: there is none
  AccessFormat format = AccessFormat::kText;
  std::uint32_t sample = 1;  // one of so many connections, of each thread

  bool operator==(const AccessLogSettings&) const = default;
};

// All members may be called from any thread, and none waits, but finish().
class AccessLog {
 public:
  // Fails where the system refuses a thread. That nothing can be written there is told later, and
  // may change.
  static Result<std::shared_ptr<AccessLog>> begin(const AccessLogSettings& settings,
                                                  std::shared_ptr<AccessCounts> counts);
  ~AccessLog();  // what was added is written nevertheless, as long as the process lives
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  const AccessLogSettings& settings() const { return settings_; }
  void add(AccessRecord record) { queue_->add(std::move(record)); }

  // The file may have been moved away. False: it is none.
  bool reopen();
  // Why nothing is written; empty: it is.
  std::string trouble() const { return queue_->trouble(); }
  // Returns when all has been written that was added, or cannot be. Nothing is added any more.
  void finish(std::chrono::milliseconds at_most);

 private:
  AccessLog(AccessLogSettings settings, std::shared_ptr<AccessQueue> queue)
      : settings_(std::move(settings)), queue_(std::move(queue)) {}

  const AccessLogSettings settings_;
  const std::shared_ptr<AccessQueue> queue_;  // the thread's as well, which may hang in a write
};

}  // namespace ambbpf
