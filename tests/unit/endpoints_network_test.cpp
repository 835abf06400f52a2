// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "userspace/endpoints/network.h"

namespace ambbpf {
namespace {

bool is_within(const char* network, const char* address) {
  return Network::parse(network)->contains(asio::ip::make_address(address));
}

TEST(Networks, ContainWhatBeginsAsTheyDo) {
  EXPECT_TRUE(is_within("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(is_within("10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(is_within("192.168.4.0/22", "192.168.7.255"));
  EXPECT_FALSE(is_within("192.168.4.0/22", "192.168.8.0"));
  EXPECT_TRUE(is_within("fd00::/8", "fdff::1"));
  EXPECT_FALSE(is_within("fd00::/8", "fe00::1"));
  EXPECT_TRUE(is_within("0.0.0.0/0", "203.0.113.1"));
  EXPECT_FALSE(is_within("0.0.0.0/0", "2001:db8::1")) << "all of IPv4 only";
  EXPECT_TRUE(is_within("::/0", "203.0.113.1")) << "everything";
}

TEST(Networks, OfOneAddressNeedNoPrefix) {
  EXPECT_TRUE(is_within("127.0.0.1", "127.0.0.1"));
  EXPECT_FALSE(is_within("127.0.0.1", "127.0.0.2"));
  EXPECT_TRUE(is_within("::1", "::1"));
  EXPECT_FALSE(is_within("::1", "::2"));
}

TEST(Networks, TakeIPv4InIPv6sClothesForItself) {
  EXPECT_TRUE(is_within("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_TRUE(is_within("::ffff:10.0.0.0/104", "10.1.2.3"));
}

TEST(Networks, AreToldFromOtherTexts) {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x",
                           "fd00::/129", "10.0.0/8", "example.org", "10.0.0.0/8/8"}) {
    const auto network = Network::parse(text);
    ASSERT_FALSE(network) << text;
    EXPECT_EQ(network.error().message(),
              "'" + std::string(text) + "' is no network, as 10.0.0.0/8 or fd00::/8 is");
  }
  EXPECT_EQ(Network::parse("10.1.0.0/8").error().message(),
            "'10.1.0.0/8' has bits behind its prefix: did you mean 10.0.0.0/8?");
  EXPECT_EQ(Network::parse("fd00::1/8").error().message(),
            "'fd00::1/8' has bits behind its prefix: did you mean fd00::/8?");
}

}  // namespace
}  // namespace ambbpf
