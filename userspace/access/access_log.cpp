// SPDX-License-Identifier: Apache-2.0
#include "userspace/access/access_log.h"

#include <system_error>
#include <thread>
#include <utility>

#include "userspace/access/targets.h"
#include "userspace/access/writer.h"

namespace ambbpf {

Result<std::shared_ptr<AccessLog>> AccessLog::begin(const AccessLogSettings& settings,
                                                    std::shared_ptr<AccessCounts> counts) {
  auto queue = std::make_shared<AccessQueue>(std::move(counts));
  try {
    // Waited for by nobody: it may hang, in syslog(3) or on a disk.
    std::thread([writer = std::make_unique<AccessWriter>(queue, settings.target, settings.format)] {
      writer->run();
    }).detach();
  } catch (const std::system_error& refused) {
    return fail("a thread for the access log", refused.code());
  }
  return std::shared_ptr<AccessLog>(new AccessLog(settings, std::move(queue)));
}

AccessLog::~AccessLog() { queue_->end(); }

bool AccessLog::reopen() {
  if (settings_.target == kSyslog || settings_.target == kJournald) return false;
  queue_->reopen();
  return true;
}

void AccessLog::finish(std::chrono::milliseconds at_most) {
  queue_->end();
  queue_->wait_for_end(at_most);
}

}  // namespace ambbpf
