// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "userspace/support/log.h"

namespace ambbpf {

// The thread that writes the log, and where to. Past stdio: a write that blocks would hold
// the lock of its stream, and with it up the exit.
class LogSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LogSink(std::shared_ptr<spdlog::details::thread_pool> thread)
      : thread_(std::move(thread)) {}

  void write_as(log::Format format) { format_ = format; }  // any thread, and never waits

  // How often all that was logged before a flush had been written.
  std::uint64_t flushes() const;
  void wait_for_flush_after(std::uint64_t seen, std::chrono::milliseconds at_most);

 private:
  void sink_it_(const spdlog::details::log_msg& line) override;
  void flush_() override;
  void write(const spdlog::details::log_msg& line);

  const std::shared_ptr<spdlog::details::thread_pool> thread_;
  std::atomic<log::Format> format_{log::Format::kText};
  std::size_t lost_told_ = 0;
  bool journal_takes_ = true;  // the last line that was meant for it

  mutable std::mutex flushes_mutex_;
  std::condition_variable flushed_;
  std::uint64_t flushes_ = 0;
};

}  // namespace ambbpf
