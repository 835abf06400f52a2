// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/log_sink.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "userspace/support/log_line.h"

namespace ambbpf {
namespace {

// Others may have made it non-blocking, who share it with us.
void wait_until_writable() {
  pollfd out{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  ::poll(&out, 1, -1);
}

void write_all(std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written >= 0)
      text.remove_prefix(static_cast<std::size_t>(written));
    else if (errno == EAGAIN)
      wait_until_writable();
    else if (errno != EINTR)
      return;  // nobody is left to be told
  }
}

}  // namespace

std::uint64_t LogSink::flushes() const {
  const std::scoped_lock lock(flushes_mutex_);
  return flushes_;
}

void LogSink::wait_for_flush_after(std::uint64_t seen, std::chrono::milliseconds at_most) {
  std::unique_lock lock(flushes_mutex_);
  flushed_.wait_for(lock, at_most, [&] { return flushes_ != seen; });
}

void LogSink::sink_it_(const spdlog::details::log_msg& line) {
  write(line);
  const auto lost = thread_->overrun_counter();
  if (lost == lost_told_) return;
  const auto news = fmt::format("{} lines of the log are lost here: {} was not read in time",
                                lost - std::exchange(lost_told_, lost),
                                format_ == log::Format::kJournald ? "the journal" : "stderr");
  write({line.logger_name, spdlog::level::warn, news});
}

void LogSink::write(const spdlog::details::log_msg& line) {
  const log::Format format = format_;
  if (format == log::Format::kJson) return write_all(log::json_line(line) + "\n");
  if (format == log::Format::kJournald) {
    const auto sent = log::to_journal(line);
    const bool did_take = std::exchange(journal_takes_, sent.has_value());
    if (sent) return;
    if (did_take)
      write({line.logger_name, spdlog::level::warn,
             fmt::format("lines go here that the journal does not take: {}",
                         sent.error().message())});
  }
  spdlog::memory_buf_t text;
  formatter_->format(line, text);
  write_all({text.data(), text.size()});
}

void LogSink::flush_() {
  const std::scoped_lock lock(flushes_mutex_);
  ++flushes_;
  flushed_.notify_all();
}

}  // namespace ambbpf
