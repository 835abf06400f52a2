// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "userspace/http/url.h"

namespace ambbpf {
namespace {

std::string authority_in(std::string_view text) {
  const auto authority = parse_authority(text);
  return authority ? to_string(*authority) : authority.error().message();
}

TEST(Authority, IsAHostAndPerhapsAPort) {
  for (const auto* text : {"etcd", "db_1.example", "db-1.example:80", "10.0.0.1", "10.0.0.1:65535",
                           "[fd00::1]", "[fd00::1]:80", "[fe80::1%25eth0]:80"})
    EXPECT_EQ(authority_in(text), text);
}

TEST(Authority, IsReadAsLibcurlReadsIt) {
  EXPECT_EQ(authority_in("[fe80::1%eth0]:80"), "[fe80::1%25eth0]:80");
  EXPECT_EQ(authority_in("[fd00:0:0::1]"), "[fd00::1]");
  EXPECT_EQ(authority_in("127.1:080"), "127.0.0.1:80");
}

TEST(Authority, SaysWhatIsWrong) {
  const std::string is_not = " is not host[:port]: ";
  const std::string no_port = "Port number was not a decimal number between 0 and 65535";
  EXPECT_EQ(authority_in(""), "''" + is_not + "No host part in the URL");
  EXPECT_EQ(authority_in(":80"), "':80'" + is_not + "No host part in the URL");
  EXPECT_EQ(authority_in("fd00::1:80"), "'fd00::1:80'" + is_not + no_port);
  EXPECT_EQ(authority_in("a:70000"), "'a:70000'" + is_not + no_port);
  EXPECT_EQ(authority_in("a:8x"), "'a:8x'" + is_not + no_port);
  EXPECT_EQ(authority_in("[fd00::1"), "'[fd00::1'" + is_not + "Bad IPv6 address");
  EXPECT_EQ(authority_in("[10.0.0.1]:80"), "'[10.0.0.1]:80'" + is_not + "Bad IPv6 address");
}

TEST(Authority, RefusesWhatLibcurlWouldTake) {
  const std::string is_not = " is not host[:port]: ";
  EXPECT_EQ(authority_in("a:0"), "'a:0'" + is_not + "port 0");
  EXPECT_EQ(authority_in("a:"), "'a:'" + is_not + "no port behind the colon");
  for (const auto* text : {"a/v2", "a/", "a?x", "a#x"})
    EXPECT_EQ(authority_in(text), fmt::format("'{}'{}there is more", text, is_not));
  for (const auto* text : {"a b", "a%41", "%"})
    EXPECT_EQ(authority_in(text), fmt::format("'{}'{}characters that no host has", text, is_not));
  EXPECT_EQ(authority_in("a\n:1"), "'a\\n:1'" + is_not + "characters that no host has");
  EXPECT_EQ(authority_in("[fe80::1%\n]"),
            "'[fe80::1%\\n]'" + is_not + "characters that no host has");
  EXPECT_EQ(authority_in("\xc3\xa4"), "'\\xc3\\xa4'" + is_not + "characters that no host has");
  EXPECT_FALSE(parse_authority("root:hunter2@a"));
  EXPECT_FALSE(parse_authority(std::string_view("a\0b", 3)));
}

TEST(UrlEncode, LeavesSlashesAndWhatNeedsNoCode) {
  EXPECT_EQ(url_encode(""), "");
  EXPECT_EQ(url_encode("/services/web-1_a.b~"), "/services/web-1_a.b~");
  EXPECT_EQ(url_encode("a b&=?%#+\xc3\xa4"), "a%20b%26%3D%3F%25%23%2B%C3%A4");
  EXPECT_EQ(url_encode(std::string_view("%2F\0", 4)), "%252F%00");
}

}  // namespace
}  // namespace ambbpf
