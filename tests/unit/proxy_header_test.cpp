// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/proxy_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/crc.hpp>

#include "userspace/endpoints/endpoint.h"

namespace ambbpf {
namespace {

using testing::HasSubstr;
using Found = ProxyParse::Found;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string number(std::size_t value) {
  return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xffU)};
}

// Version 2: the command with the version, the family, and what follows the length.
std::string header_of_two(char command, char family, const std::string& rest) {
  return kSignature + command + family + number(rest.size()) + rest;
}

// 192.0.2.1:51234 to 192.0.2.2:443
const std::string kV4("\xc0\x00\x02\x01\xc0\x00\x02\x02\xc8\x22\x01\xbb", 12);

std::string tlv(char type, const std::string& value) { return type + number(value.size()) + value; }

void expect_addresses(const ProxyParse& parsed, const char* client, const char* server) {
  ASSERT_EQ(parsed.found, Found::kHeader) << parsed.why;
  ASSERT_TRUE(parsed.header.addresses);
  EXPECT_EQ(to_string(parsed.header.addresses->client), client);
  EXPECT_EQ(to_string(parsed.header.addresses->server), server);
}

void expect_none(const std::string& header) {
  const auto parsed = parse_proxy_header(header + "GET /");
  ASSERT_EQ(parsed.found, Found::kHeader) << parsed.why;
  EXPECT_EQ(parsed.size, header.size());
  EXPECT_FALSE(parsed.header.addresses);
}

TEST(ProxyHeaders, OfVersionOneTellWhoTheClientIs) {
  const std::string header = "PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n";
  const auto parsed = parse_proxy_header(header + "GET /");
  expect_addresses(parsed, "192.0.2.1:51234", "192.0.2.2:443");
  EXPECT_EQ(parsed.size, header.size());
  expect_addresses(parse_proxy_header("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"),
                   "[2001:db8::1]:1", "[2001:db8::2]:65535");
  expect_addresses(parse_proxy_header("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), "192.0.2.1:1",
                   "[::1]:2");
}

TEST(ProxyHeaders, OfVersionTwoTellWhoTheClientIs) {
  const auto header = header_of_two('\x21', '\x11', kV4);
  const auto parsed = parse_proxy_header(header + "GET /");
  expect_addresses(parsed, "192.0.2.1:51234", "192.0.2.2:443");
  EXPECT_EQ(parsed.size, header.size());
  const std::string v6 = "\x20\x01\x0d\xb8" + std::string(11, '\0') + "\x01" + "\x20\x01\x0d\xb8" +
                         std::string(11, '\0') + "\x02" + kV4.substr(8);
  expect_addresses(parse_proxy_header(header_of_two('\x21', '\x21', v6)), "[2001:db8::1]:51234",
                   "[2001:db8::2]:443");
}

TEST(ProxyHeaders, MaySayNothingOfTheClient) {
  expect_none("PROXY UNKNOWN\r\n");
  expect_none("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n");
  expect_none(header_of_two('\x20', '\x00', ""));          // LOCAL
  expect_none(header_of_two('\x20', '\x11', kV4));         // LOCAL, its addresses do not count
  expect_none(header_of_two('\x21', '\x00', "whatever"));  // UNSPEC
  expect_none(header_of_two('\x21', '\x31', std::string(216, 'x')));  // a Unix socket
}

TEST(ProxyHeaders, HaveFieldsOfWhichTheUniqueIdCounts) {
  const auto parsed = parse_proxy_header(
      header_of_two('\x21', '\x11', kV4 + tlv('\x04', "noop") + tlv('\x05', "id 1")));
  expect_addresses(parsed, "192.0.2.1:51234", "192.0.2.2:443");
  EXPECT_EQ(parsed.header.unique_id, "id 1");
}

TEST(ProxyHeaders, WithAChecksumAreLookedAtTwice) {
  auto header = header_of_two('\x21', '\x11', kV4 + tlv('\x03', std::string(4, '\0')));
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> sum;
  sum.process_bytes(header.data(), header.size());
  for (int i = 0; i < 4; ++i)
    header[header.size() - 1 - static_cast<std::size_t>(i)] =
        static_cast<char>(sum.checksum() >> (8U * static_cast<unsigned>(i)));
  expect_addresses(parse_proxy_header(header), "192.0.2.1:51234", "192.0.2.2:443");
  header[20] ^= 1;
  EXPECT_EQ(parse_proxy_header(header).found, Found::kMalformed);
}

// Of every beginning: how much more is needed is never too much.
TEST(ProxyHeaders, ComeInPieces) {
  const auto id = tlv('\x05', "id 1");
  for (const auto& header :
       {std::string("PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n"),
        std::string("PROXY UNKNOWN\r\n"), header_of_two('\x21', '\x11', kV4 + id)})
    for (std::size_t size = 0; size < header.size(); ++size) {
      const auto parsed = parse_proxy_header(header.substr(0, size));
      ASSERT_EQ(parsed.found, Found::kBeginning) << size;
      EXPECT_GT(parsed.size, size);
      EXPECT_LE(parsed.size, header.size());
    }
}

TEST(ProxyHeaders, AreToldFromOtherBeginnings) {
  for (const auto* bytes : {"GET / HTTP/1.1\r\n", "PROXI", "PROXYTCP4", "\r\n\r\nGET", "\x16\x03"})
    EXPECT_EQ(parse_proxy_header(bytes).found, Found::kNoHeader) << bytes;
}

TEST(ProxyHeaders, ThatAreMalformedAreTold) {
  const auto why = [](const std::string& bytes) {
    const auto parsed = parse_proxy_header(bytes);
    EXPECT_EQ(parsed.found, Found::kMalformed) << bytes;
    return std::string(parsed.why);
  };
  for (const auto* line :
       {"PROXY\x20\r\n", "PROXY TCP4\r\n", "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"})
    EXPECT_EQ(why(line), "its line is not PROXY TCP4|TCP6 CLIENT SERVER PORT PORT") << line;
  for (const auto* line :
       {"PROXY TCP4 ::1 ::2 1 2\r\n", "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n",
        "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n", "PROXY TCP6 fe80::1%lo ::2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 000002\r\n"})
    EXPECT_EQ(why(line), "its line has an address or a port that is none") << line;
  EXPECT_EQ(why("PROXY TCP4 " + std::string(100, '1')), "its line is longer than 107 bytes");
  EXPECT_EQ(why(header_of_two('\x11', '\x11', kV4)), "it has an unknown command");
  EXPECT_EQ(why(header_of_two('\x22', '\x11', kV4)), "it has an unknown command");
  EXPECT_EQ(why(header_of_two('\x21', '\x12', kV4)), "its addresses are not of TCP");
  EXPECT_EQ(why(header_of_two('\x21', '\x11', kV4.substr(1))), "it has no room for its addresses");
  EXPECT_EQ(why(header_of_two('\x21', '\x11', std::string(4081, 'x'))),
            "it is longer than 4096 bytes");
  EXPECT_EQ(why(header_of_two('\x21', '\x11', kV4 + "\x05")), "its last field has no room");
  EXPECT_EQ(why(header_of_two('\x21', '\x11', kV4 + tlv('\x05', "id").substr(0, 4))),
            "a field is longer than the rest of it");
  EXPECT_EQ(why(header_of_two('\x21', '\x11', kV4 + tlv('\x05', std::string(129, 'x')))),
            "its unique id is too long");
}

TEST(ProxyHeaders, AreWrittenAsTheyAreRead) {
  const auto endpoint = [](const char* text) { return *parse_address(text); };
  for (const auto& [client, server] :
       {std::pair("192.0.2.1:51234", "192.0.2.2:443"), {"[2001:db8::1]:1", "[2001:db8::2]:65535"}})
    for (const auto version : {ProxyVersion::kOne, ProxyVersion::kTwo}) {
      const ProxyHeader header{.addresses = {{endpoint(client), endpoint(server)}},
                               .unique_id = "id"};
      const auto text = write_proxy_header(version, header);
      const auto parsed = parse_proxy_header(text + "GET /");
      expect_addresses(parsed, client, server);
      EXPECT_EQ(parsed.size, text.size());
      EXPECT_EQ(parsed.header.unique_id, version == ProxyVersion::kTwo ? "id" : "");
    }
  EXPECT_EQ(write_proxy_header(ProxyVersion::kNone, {}), "");
  expect_none(write_proxy_header(ProxyVersion::kOne, {}));
  expect_none(write_proxy_header(ProxyVersion::kTwo, {}));
}

// Each address on its own would be of another family; the client's must not be lost.
TEST(ProxyHeaders, OfTwoFamiliesAreOfIPv6) {
  const ProxyHeader header{
      .addresses = {{*parse_address("192.0.2.1:1"), *parse_address("[2001:db8::2]:2")}}};
  EXPECT_EQ(write_proxy_header(ProxyVersion::kOne, header),
            "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n");
  expect_addresses(parse_proxy_header(write_proxy_header(ProxyVersion::kTwo, header)),
                   "192.0.2.1:1", "[2001:db8::2]:2");
}

TEST(ProxyHeaders, LeaveTheZoneOfAnAddressAtHome) {
  const tcp::endpoint client(asio::ip::make_address("fe80::1%1"), 1);
  const ProxyHeader header{.addresses = {{client, *parse_address("[::1]:2")}}};
  EXPECT_THAT(write_proxy_header(ProxyVersion::kOne, header), HasSubstr(" fe80::1 ::1 "));
}

}  // namespace
}  // namespace ambbpf
