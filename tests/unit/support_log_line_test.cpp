// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/support/json.h"
#include "userspace/support/log_line.h"
#include "userspace/support/time_stamp.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::system_clock::time_point kTime(1'795'745'950s + 42us);

TEST(LogLine, AsJsonIsOneObjectWhateverIsSaid) {
  const std::string said = "service \"a\"\n{\\ \x1b[2J \xff \xc3\xa4";
  const auto line = log::json_line({kTime, {}, "", spdlog::level::warn, said});
  for (const char c : line) EXPECT_TRUE(c >= ' ' && c <= '~') << line;
  const auto parsed = parse_json(line);
  ASSERT_TRUE(parsed) << line;
  EXPECT_EQ(parsed->MemberCount(), 3U);
  EXPECT_EQ(string_at(*parsed, "time"), "2026-11-27T02:19:10.000042Z");
  EXPECT_EQ(string_at(*parsed, "level"), "warn");
  EXPECT_EQ(string_at(*parsed, "message"), "service \"a\"\n{\\ \x1b[2J \xef\xbf\xbd \xc3\xa4");
}

TEST(LogLine, AsJsonHasTheLevelsThatTheSettingHas) {
  for (const auto& [level, name] : {std::pair(spdlog::level::err, "error"),
                                    {spdlog::level::critical, "error"},
                                    {spdlog::level::info, "info"},
                                    {spdlog::level::debug, "debug"}})
    EXPECT_EQ(string_at(*parse_json(log::json_line({kTime, {}, "", level, "x"})), "level"), name);
}

TEST(TimeStamp, HasMicrosecondsAlsoBeforeTheEpoch) {
  EXPECT_EQ(time_stamp(std::chrono::system_clock::time_point(-1us)), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
}  // namespace ambbpf::test
