// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/log.h"

#include <spdlog/async.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <utility>

#include "userspace/support/log_line.h"
#include "userspace/support/log_sink.h"

namespace ambbpf::log {
namespace {

struct Writer {
  std::shared_ptr<spdlog::details::thread_pool> thread;
  std::shared_ptr<LogSink> sink;
  std::shared_ptr<spdlog::logger> logger;
};

// Begun with the first set_up(). Never destroyed: its thread may hang in a write for ever.
const Writer* writer = nullptr;

const Writer* begin_writing() {
  constexpr std::size_t kLines = 1024;  // some 400 bytes each
  auto thread = std::make_shared<spdlog::details::thread_pool>(kLines, 1);
  auto sink = std::make_shared<LogSink>(thread);
  auto logger = std::make_shared<spdlog::async_logger>(
      "", sink, thread, spdlog::async_overflow_policy::overrun_oldest);
  logger->set_formatter(text_formatter());
  std::atexit(flush);
  return new Writer{std::move(thread), std::move(sink), std::move(logger)};
}

}  // namespace

bool set_up(std::string_view level, Format format) {
  constexpr std::array<std::pair<std::string_view, spdlog::level::level_enum>, 4> kLevels{{
      {"error", spdlog::level::err},
      {"warn", spdlog::level::warn},
      {"info", spdlog::level::info},
      {"debug", spdlog::level::debug},
  }};
  for (const auto& [name, value] : kLevels) {
    if (name != level) continue;
    if (!writer) {
      writer = begin_writing();
      spdlog::set_default_logger(writer->logger);  // once: who logs on another thread reads it
    }
    writer->sink->write_as(format);
    writer->logger->set_level(value);
    return true;
  }
  return false;
}

void flush() {
  using namespace std::chrono_literals;
  if (!writer) return;
  const auto before = writer->sink->flushes();
  writer->logger->flush();
  writer->sink->wait_for_flush_after(before, 1s);
}

}  // namespace ambbpf::log
