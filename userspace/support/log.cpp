// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

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

// What others wrote may be part of any line: printable ASCII as it is, every other byte as \xNN, so
// that nothing ends a line, forges another or steers a terminal.
class PlainText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& line, const std::tm&,
              spdlog::memory_buf_t& out) override {
    for (const char c : line.payload) {
      if (c >= ' ' && c <= '~')
        out.push_back(c);
      else
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PlainText>();
  }
};

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
    auto logger =
        std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<SyslogPriority>('*').add_flag<LevelName>('L').add_flag<PlainText>('v');
    const bool under_journald = std::getenv("JOURNAL_STREAM") != nullptr;
    formatter->set_pattern(under_journald ? "%*%v" : "%Y-%m-%d %H:%M:%S.%e %L %v");
    logger->set_formatter(std::move(formatter));
    logger->set_level(value);
    spdlog::set_default_logger(std::move(logger));
    return true;
  }
  return false;
}

}  // namespace ambbpf::log
