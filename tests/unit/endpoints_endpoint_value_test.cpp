// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "userspace/endpoints/endpoint.h"
#include "userspace/endpoints/endpoint_value.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

std::string taken_as(std::string_view value) {
  const auto endpoint = decode_endpoint_value(value);
  return endpoint ? to_string(endpoint->address) : "rejected";
}

std::string reason(std::string_view value) {
  const auto endpoint = decode_endpoint_value(value);
  return endpoint ? "accepted" : endpoint.error().message();
}

TEST(EndpointValue, TakesWhatRegistrarsWrite) {
  EXPECT_EQ(taken_as(R"({ "port": 49155, "host": "10.0.0.1", "weight": 3, "zone": "nyc" })"),
            "10.0.0.1:49155");
  EXPECT_EQ(taken_as(R"({"host":"10.0.0.1","port":"49155"})"), "10.0.0.1:49155");
  EXPECT_EQ(taken_as(R"({"IP":"10.0.0.1","port":80})"), "10.0.0.1:80");
  EXPECT_EQ(taken_as("10.0.0.1:80"), "10.0.0.1:80");
  EXPECT_EQ(taken_as(" \t10.0.0.1:80\r\n"), "10.0.0.1:80");
  EXPECT_EQ(taken_as("\n{\"host\":\"10.0.0.1\",\"port\":1}\n"), "10.0.0.1:1");
}

TEST(EndpointValue, TakesIpv6WithAndWithoutBrackets) {
  EXPECT_EQ(taken_as("[fd00::1]:80"), "[fd00::1]:80");
  EXPECT_EQ(taken_as(R"({"host":"fd00::1","port":80})"), "[fd00::1]:80");
  EXPECT_EQ(taken_as(R"({"host":"[fd00::1]","port":80})"), "[fd00::1]:80");
  EXPECT_EQ(taken_as(R"({"host":"[10.0.0.1]","port":80})"), "rejected");
  EXPECT_EQ(taken_as("fd00::1:80"), "rejected");
}

TEST(EndpointValue, TakesNames) {
  const auto named = [](const std::string& value) {
    const auto decoded = decode_endpoint_value(value);
    return decoded ? fmt::format("{} {}", decoded->name, decoded->address.port()) : "rejected";
  };
  EXPECT_EQ(named(R"({"host":"db-1.example","port":80})"), "db-1.example 80");
  EXPECT_EQ(named(" db_1.example:5432\n"), "db_1.example 5432");
  EXPECT_EQ(named("localhost:1"), "localhost 1");
  EXPECT_EQ(decode_endpoint_value(R"({"host":"a","port":1,"weight":3})")->attributes,
            (EndpointAttributes{{"weight", "3"}}));
  for (const std::string host :
       {"10.0.0.256", "10.0.0", "1", "a..b", ".a", "a.", "a b", "a/b", "a:b", "a%b", "\xc3\xa9"})
    EXPECT_EQ(named(host + ":80"), "rejected") << host;
  EXPECT_EQ(named(std::string(64, 'a') + ":80"), "rejected");
  std::string longest = "a";
  while (longest.size() < 252) longest += ".a";
  EXPECT_EQ(named(longest + ":80"), longest + " 80");
  EXPECT_EQ(named(longest + ".a.a:80"), "rejected");
  EXPECT_EQ(named("db.example:0"), "rejected");
  EXPECT_EQ(named("db.example"), "rejected");
}

TEST(EndpointValue, IgnoresFurtherFields) {
  EXPECT_EQ(taken_as(R"({"host":"10.0.0.1","port":80,"x":{"port":{}},"y":[null,1e9,{}]})"),
            "10.0.0.1:80");
}

TEST(EndpointValue, SaysWhatIsWrong) {
  EXPECT_EQ(reason(""), "empty value");
  EXPECT_EQ(reason(" \n "), "empty value");
  EXPECT_EQ(reason(R"({ "port": , "host":  })"), R"('{ "port": , "host":  }' is not JSON)");
  EXPECT_EQ(reason("{}"), "no \"host\" with an address or a name in it");
  EXPECT_EQ(reason(R"({"host":7,"port":80})"), "no \"host\" with an address or a name in it");
  EXPECT_EQ(reason(R"({"host":"10.0.0.1"})"), "no \"port\"");
  EXPECT_EQ(reason(R"({"host":"[","port":80})"), "host '[' is neither an IP address nor a name");
  EXPECT_EQ(reason(R"({"host":"10.0.0.1","port":0})"), "port 0 is not within 1 to 65535");
  EXPECT_EQ(reason(R"({"host":"10.0.0.1","port":65536})"), "port 65536 is not within 1 to 65535");
  EXPECT_EQ(reason(R"({"host":"10.0.0.1","port":"80x"})"), "port '80x' is not a number");
  EXPECT_EQ(reason("web-1"), "'web-1' is neither a JSON object nor host:port");
}

TEST(EndpointValue, RefusesAddressesWhereNoBackendCanBe) {
  const std::pair<const char*, const char*> kRefused[] = {
      {"0.0.0.0:80", "0.0.0.0:80 is no address of a backend: it stands for every address"},
      {"[::]:80", "[::]:80 is no address of a backend: it stands for every address"},
      {"[::ffff:0.0.0.0]:80", "0.0.0.0:80 is no address of a backend: it stands for every address"},
      {"224.0.0.1:80", "224.0.0.1:80 is no address of a backend: it is for multicast"},
      {"239.255.255.255:80", "239.255.255.255:80 is no address of a backend: it is for multicast"},
      {"[ff02::1]:80", "[ff02::1]:80 is no address of a backend: it is for multicast"},
      {"[::ffff:224.0.0.1]:80", "224.0.0.1:80 is no address of a backend: it is for multicast"},
      {"255.255.255.255:80", "255.255.255.255:80 is no address of a backend: it is for broadcasts"},
      {"[::ffff:255.255.255.255]:80",
       "255.255.255.255:80 is no address of a backend: it is for broadcasts"},
      {"240.0.0.1:80", "240.0.0.1:80 is no address of a backend: it is reserved (RFC 1112)"},
      {"255.255.255.254:80",
       "255.255.255.254:80 is no address of a backend: it is reserved (RFC 1112)"},
      {"0.1.2.3:80", "0.1.2.3:80 is no address of a backend: it is no host's (RFC 1122)"},
      {"[fe80::1]:80",
       "[fe80::1]:80 is no address of a backend: a link-local address needs its zone"},
  };
  for (const auto& [address, why] : kRefused) {
    EXPECT_EQ(reason(address), why);
    const auto colon = std::string_view(address).rfind(':');
    const auto host = std::string(address).substr(0, colon);
    EXPECT_EQ(reason(R"({"host":")" + host + R"(","port":80})"), why);
  }
}

TEST(EndpointValue, TakesTheNeighboursOfWhatItRefuses) {
  for (const auto* address : {"1.0.0.0:80", "223.255.255.255:80", "127.0.0.1:80", "169.254.0.1:80",
                              "[::1]:80", "[fe80::1%lo]:80", "[fec0::1]:80"})
    EXPECT_EQ(taken_as(address), address);
}

TEST(EndpointValue, TakesIpv4InIpv6ForIpv4) {
  EXPECT_EQ(taken_as("[::ffff:10.0.0.1]:80"), "10.0.0.1:80");
  EXPECT_EQ(taken_as(R"({"host":"::ffff:a00:1","port":80})"), "10.0.0.1:80");
}

TEST(EndpointValue, WrongTypesAreErrors) {
  for (const auto* port : {"-1", "80.5", "8e1", "null", "true", "[]", "{}", "[80]", "\"\"",
                           "\" 80\"", "99999999999999999999999", "-9223372036854775808"})
    EXPECT_EQ(taken_as(std::string(R"({"host":"10.0.0.1","port":)") + port + "}"), "rejected")
        << port;
  for (const auto* host :
       {"null", "true", "1", "[]", "{}", "[\"10.0.0.1\"]", "\"\"", "\"10.0.0.1 \""})
    EXPECT_EQ(taken_as(std::string(R"({"port":80,"host":)") + host + "}"), "rejected") << host;
  for (const auto* value :
       {"null", "true", "80", "\"10.0.0.1:80\"", "[]", "[{}]", R"({"host":"10.0.0.1","port":80}{})",
        R"({"host":"10.0.0.1","port":80} x)"})
    EXPECT_EQ(taken_as(value), "rejected") << value;
}

TEST(EndpointValue, NulBytesHideNothing) {
  using std::string_literals::operator""s;
  EXPECT_EQ(taken_as("10.0.0.1\0.evil:80"s), "rejected");
  EXPECT_EQ(taken_as("10.0.0.1:80\0"s), "rejected");
  EXPECT_EQ(taken_as(R"({"host":"10.0.0.1\u0000x","port":80})"), "rejected");
}

TEST(EndpointValue, EveryCutIsAnError) {
  const std::string whole = R"({ "port": 49155, "host": "10.0.0.1", "zone": ["nyc", {"a": 1}] })";
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_EQ(taken_as(whole.substr(0, length)), "rejected") << length;
}

TEST(EndpointValue, HugeAndDeepValuesAreErrors) {
  EXPECT_EQ(taken_as(std::string(1 << 20, '{')), "rejected");
  EXPECT_EQ(taken_as(R"({"host":")" + std::string(1 << 20, '1') + R"(","port":80})"), "rejected");
  std::string deep = R"({"host":"10.0.0.1","port":80,"x":)";
  EXPECT_EQ(taken_as(deep + std::string(60'000, '[')), "rejected");
  EXPECT_EQ(taken_as(deep + std::string(30'000, '[') + std::string(30'000, ']') + "}"),
            "10.0.0.1:80");
}

TEST(EndpointValue, ReasonsCannotForgeLogLines) {
  const std::string forged =
      "x\n2026-01-01 error all is lost\x1b[2J\r\\n\xc2\x9b" + std::string(5000, 'A');
  for (const auto& value :
       {forged, "{" + forged, R"({"host":")" + std::string("a\\nb\\u001b") + R"(","port":80})",
        R"({"host":"10.0.0.1","port":"a\nb"})" + std::string()}) {
    const auto said = reason(value);
    EXPECT_LT(said.size(), 500U);
    for (const char c : said) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << said;
  }
}

TEST(Quote, EscapesAndShortens) {
  EXPECT_EQ(quoted("plain"), "'plain'");
  EXPECT_EQ(quoted("a\nb\x01\xff"), R"('a\nb\x01\xff')");
  EXPECT_EQ(quoted(R"(a\nb\x01\xff)"), R"('a\nb\x01\xff')") << "what is printable stays as it is";
  EXPECT_EQ(quoted("abcdef", 3), "'abc...' (6 bytes)");
  EXPECT_EQ(printable("/services/web\r"), R"(/services/web\x0d)");
}

TEST(EndpointValue, IsWrittenAsDockerRegisterWroteIt) {
  EXPECT_EQ(
      encode_endpoint_value(*parse_address("10.0.0.1:49155"), {{"weight", "3"}, {"zone", "nyc"}}),
      R"({"port":49155,"host":"10.0.0.1","weight":3,"zone":"nyc"})");
  EXPECT_EQ(encode_endpoint_value(*parse_address("[fd00::1]:80"), {}),
            R"({"port":80,"host":"fd00::1"})");
}

TEST(EndpointValue, WritesOnlyWhatJsonTakesForANumberWithoutQuotes) {
  EXPECT_EQ(encode_endpoint_value(*parse_address("10.0.0.1:1"), {{"a", "0"},
                                                                 {"b", "007"},
                                                                 {"c", "1.5"},
                                                                 {"d", ""},
                                                                 {"e", "-1"},
                                                                 {"f", "12345678901234567890"},
                                                                 {"g", "say \"x\"\n"},
                                                                 {"h", "\xff"}}),
            R"({"port":1,"host":"10.0.0.1","a":0,"b":"007","c":"1.5","d":"","e":"-1",)"
            R"("f":"12345678901234567890","g":"say \"x\"\n","h":")"
            "\ufffd\"}");
}

TEST(EndpointValue, WhatIsWrittenIsRead) {
  for (const auto* address : {"10.0.0.1:49155", "[fd00::1]:80", "127.0.0.1:65535"}) {
    const auto endpoint = *parse_address(address);
    const EndpointAttributes attributes{{"weight", "3"}, {"zone", "nyc"}};
    EXPECT_EQ(decode_endpoint_value(encode_endpoint_value(endpoint, attributes)),
              (EndpointValue{endpoint, attributes}));
  }
}

TEST(EndpointValue, FurtherScalarFieldsAreAttributes) {
  const auto value = decode_endpoint_value(
      R"({"zone":"nyc","host":"10.0.0.1","IP":"10.0.0.2","port":80,"weight":3,"share":1.5,)"
      R"("spare":true,"x":null,"y":[1],"z":{"a":1},"empty":""})");
  ASSERT_TRUE(value);
  EXPECT_EQ(
      value->attributes,
      (EndpointAttributes{
          {"zone", "nyc"}, {"weight", "3"}, {"share", "1.5"}, {"spare", "true"}, {"empty", ""}}));
}

TEST(EndpointValue, AttributesAreBoundInNumberAndLength) {
  std::string value = R"({"host":"10.0.0.1","port":80,"long":")" + std::string(257, 'x') + '"';
  for (int i = 0; i < 100; ++i) value += ",\"a" + std::to_string(i) + "\":1";
  const auto decoded = decode_endpoint_value(value + "}");
  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->attributes.size(), 32U);
  EXPECT_EQ(decoded->attributes.front().first, "a0");
}

}  // namespace
}  // namespace ambbpf
