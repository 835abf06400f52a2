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

  // Ends the work where it waits for something: in a later turn of the loop.
  void stop();

 private:
  std::shared_ptr<asio::cancellation_signal> stop_;
};

}  // namespace ambbpf
