// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/log_line.h"

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>

#include <cstdlib>
#include <string_view>

#include "userspace/support/journal.h"
#include "userspace/support/json_writer.h"
#include "userspace/support/quote.h"
#include "userspace/support/time_stamp.h"

namespace ambbpf::log {
namespace {

// As syslog(3) has them.
int priority_of(spdlog::level::level_enum level) {
  return level >= spdlog::level::err    ? 3
         : level == spdlog::level::warn ? 4
         : level == spdlog::level::info ? 6
                                        : 7;
}

// Under the names that --log-level has for them; spdlog's are others.
std::string_view name_of(spdlog::level::level_enum level) {
  return level >= spdlog::level::err    ? "error"
         : level == spdlog::level::warn ? "warn"
         : level == spdlog::level::info ? "info"
                                        : "debug";
}

std::string_view said_in(const spdlog::details::log_msg& line) {
  return {line.payload.data(), line.payload.size()};
}

// The "<N>" prefix that journald takes for the line's priority.
class SyslogPriority : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& line, const std::tm&,
              spdlog::memory_buf_t& out) override {
    fmt::format_to(std::back_inserter(out), "<{}>", priority_of(line.level));
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<SyslogPriority>();
  }
};

class LevelName : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& line, const std::tm&,
              spdlog::memory_buf_t& out) override {
    fmt::format_to(std::back_inserter(out), "{:5}", name_of(line.level));
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
    const auto text = printable(said_in(line));
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PrintableText>();
  }
};

}  // namespace

std::unique_ptr<spdlog::formatter> text_formatter() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<SyslogPriority>('*').add_flag<LevelName>('L').add_flag<PrintableText>('v');
  const bool under_journald = std::getenv("JOURNAL_STREAM") != nullptr;
  formatter->set_pattern(under_journald ? "%*%v" : "%Y-%m-%d %H:%M:%S.%e %L %v");
  return formatter;
}

std::string json_line(const spdlog::details::log_msg& line) {
  rapidjson::StringBuffer buffer;
  JsonWriter out(buffer);
  out.StartObject();
  out.Key("time");
  write_text(out, time_stamp(line.time));
  out.Key("level");
  write_text(out, name_of(line.level));
  out.Key("message");
  write_text(out, said_in(line));
  out.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

Result<void> to_journal(const spdlog::details::log_msg& line) {
  return send_to_journal(fmt::format("MESSAGE={}\nPRIORITY={}\nSYSLOG_IDENTIFIER=ambbpf\n",
                                     printable(said_in(line)), priority_of(line.level)));
}

}  // namespace ambbpf::log
