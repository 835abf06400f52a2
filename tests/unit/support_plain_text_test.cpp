// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>

#include "userspace/support/plain_text.h"
#include "userspace/support/quote.h"
#include "userspace/support/utf8.h"

namespace ambbpf {
namespace {

constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();

TEST(PlainText, HasNothingThatSteersATerminal) {
  EXPECT_EQ(printable("a key\x1b]0;title\x07"), "a key\\x1b]0;title\\x07");
  EXPECT_EQ(printable("a\r\n\tb\x7f"), "a\\x0d\\n\\x09b\\x7f");
  EXPECT_EQ(printable("\u009b2J \u202e"), "\\xc2\\x9b2J \\xe2\\x80\\xae");
}

TEST(PlainText, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(valid_utf8("ok \u00e4 \u20ac \U0001f600"), "ok \u00e4 \u20ac \U0001f600");
  EXPECT_EQ(valid_utf8("\xff."), "\ufffd.");
  EXPECT_EQ(valid_utf8("\xe2\x82"), "\ufffd\ufffd") << "cut short";
  EXPECT_EQ(valid_utf8("\xc0\x80"), "\ufffd\ufffd") << "overlong";
  EXPECT_EQ(valid_utf8("\xed\xa0\x80"), "\ufffd\ufffd\ufffd") << "a surrogate";
  EXPECT_EQ(valid_utf8("\xf4\x90\x80\x80"), "\ufffd\ufffd\ufffd\ufffd") << "beyond U+10FFFF";
}

TEST(PlainText, IsShortenedAtEitherEnd) {
  EXPECT_EQ(shortened("12345", 5), "12345");
  EXPECT_EQ(shortened("123456", 5), "1234…");
  EXPECT_EQ(shortened_in_front("123456", 5), "…3456");
}

TEST(HumanUnits, OfBytes) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(human_bytes(250ull * 1024 * 1024), "250 MiB");
  EXPECT_EQ(human_bytes(kMost), "16.0 EiB");
}

TEST(HumanUnits, OfCounts) {
  EXPECT_EQ(human_count(9'999'999), "9999999");
  EXPECT_EQ(human_count(10'000'000), "10.0M");
  EXPECT_EQ(human_count(999'999'999), "1.0G");
  EXPECT_EQ(human_count(kMost), "18.4E");
  EXPECT_EQ(counted(1, "event"), "1 event");
  EXPECT_EQ(counted(0, "event"), "0 events");
}

TEST(HumanUnits, FitTheirColumns) {
  for (std::uint64_t value = 1; value < kMost / 3; value = value * 3 / 2 + 1) {
    EXPECT_LE(human_bytes(value).size(), 8u) << value;
    EXPECT_LE(human_count(value).size(), 8u) << value;
  }
}

TEST(HumanUnits, OfTime) {
  EXPECT_EQ(human_span(350), "350ms");
  EXPECT_EQ(human_span(12'999), "12s");
  EXPECT_EQ(human_span(192'000), "3m12s");
  EXPECT_EQ(human_span(11'525'000), "3h12m");
  EXPECT_EQ(human_span(446'400'000), "5d4h");
}

}  // namespace
}  // namespace ambbpf
