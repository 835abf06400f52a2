// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "userspace/support/asio.h"

namespace ambbpf {

// A coroutine under way that can be ended at any time, on the thread of its executor.
class Task {
 public:
  Task() = default;
  // What `work` refers to is owned by `uses`, and released when the work has ended.
  Task(asio::any_io_executor executor, awaitable<void> work, std::shared_ptr<void> uses);
  ~Task() { stop(); }
  Task(Task&&) = default;
  Task& operator=(Task&& other) noexcept;

  // Ends the work where it waits for something: in a later turn of the loop. Of work that has ended
  // by itself, nothing.
  void stop();

 private:
  struct Work {
    asio::cancellation_signal stop;
    bool ended = false;  // and with it whom `stop` would tell
  };
  std::shared_ptr<Work> work_;
};

}  // namespace ambbpf
