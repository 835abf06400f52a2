// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/log.h"

#include <spdlog/async.h>
#include <spdlog/pattern_formatter.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "userspace/support/quote.h"
#include "userspace/support/stderr_sink.h"

namespace ambbpf::log {
namespace {

// The "<N>" prefix that journald takes for the line's priority.
class SyslogPriority : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& line, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string_view prefix = line.level >= spdlog::level::err    ? "<3>"
                                    : line.level == spdlog::level::warn ? "<4>"
                                    : line.level == spdlog::level::info ? "<6>"
                                                                        : "<7>";
    out.append(prefix.data(), prefix.data() + prefix.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<SyslogPriority>();
  }
};

// Under the names that --log-level has for them; spdlog's are others.
class LevelName : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& line, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string_view name = line.level >= spdlog::level::err    ? "error"
                                  : line.level == spdlog::level::warn ? "warn "
                                  : line.level == spdlog::level::info ? "info "
                                                                      : "debug";
    out.append(name.data(), name.data() + name.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<LevelName>();
  }
};

// What others wrote may be part of any line.
class PrintableText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& line, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const auto text = printable({line.payload.data(), line.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PrintableText>();
  }
};

std::unique_ptr<spdlog::formatter> line_formatter() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<SyslogPriority>('*').add_flag<LevelName>('L').add_flag<PrintableText>('v');
  const bool under_journald = std::getenv("JOURNAL_STREAM") != nullptr;
  formatter->set_pattern(under_journald ? "%*%v" : "%Y-%m-%d %H:%M:%S.%e %L %v");
  return formatter;
}

struct Writer {
  std::shared_ptr<spdlog::details::thread_pool> thread;
  std::shared_ptr<StderrSink> sink;
  std::shared_ptr<spdlog::logger> logger;
};

// Begun with the first set_up(). Never destroyed: its thread may hang in a write for ever.
const Writer* writer = nullptr;

const Writer* begin_writing() {
  constexpr std::size_t kLines = 1024;  // some 400 bytes each
  auto thread = std::make_shared<spdlog::details::thread_pool>(kLines, 1);
  auto sink = std::make_shared<StderrSink>(thread);
  auto logger = std::make_shared<spdlog::async_logger>(
      "", sink, thread, spdlog::async_overflow_policy::overrun_oldest);
  logger->set_formatter(line_formatter());
  std::atexit(flush);
  return new Writer{std::move(thread), std::move(sink), std::move(logger)};
}

}  // namespace

bool set_up(std::string_view level) {
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
