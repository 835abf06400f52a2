// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/support/json_splitter.h"

namespace ambbpf {
namespace {

using Objects = std::vector<std::string>;

constexpr std::size_t kLongest = 100;

// What came of `stream` in pieces of `size` bytes; "error" stands last if there was one.
Objects split(std::string_view stream, std::size_t size) {
  JsonSplitter splitter(kLongest);
  Objects all;
  for (std::size_t from = 0; from < stream.size(); from += size) {
    const auto some = splitter.take(stream.substr(from, size));
    if (!some) {
      all.emplace_back("error");
      break;
    }
    all.insert(all.end(), some->begin(), some->end());
  }
  return all;
}

void expect_split(std::string_view stream, const Objects& expected) {
  for (std::size_t size = 1; size <= stream.size(); ++size)
    EXPECT_EQ(split(stream, size), expected) << "in pieces of " << size << " bytes";
}

TEST(JsonSplitter, TakesEveryFraming) {
  const Objects both{R"({"a":1})", R"({"b":{"c":[1,{}]}})"};
  expect_split(R"({"a":1}{"b":{"c":[1,{}]}})", both);
  expect_split("{\"a\":1}\n{\"b\":{\"c\":[1,{}]}}\n", both);
  expect_split("\r\n {\"a\":1}\r\n\t{\"b\":{\"c\":[1,{}]}}", both);
  expect_split("\x1e{\"a\":1}\n\x1e{\"b\":{\"c\":[1,{}]}}\n", both);
}

TEST(JsonSplitter, BracesInStringsAreText) {
  const Objects both{R"({"a}{":"\"}\\"})", R"({"b":"]["})"};
  expect_split(R"({"a}{":"\"}\\"}{"b":"]["})", both);
}

TEST(JsonSplitter, WhatIsNotCompleteIsKept) {
  JsonSplitter splitter(kLongest);
  EXPECT_EQ(splitter.take(R"({"a":"x)").value(), Objects{});
  EXPECT_EQ(splitter.take("").value(), Objects{});
  EXPECT_EQ(splitter.take(R"(y"}{)").value(), Objects{R"({"a":"xy"})"});
}

TEST(JsonSplitter, RecordSeparatorEndsWhatWasCutOff) {
  expect_split("\x1e{\"a\":\"\x1e{\"b\":2}\n", {R"({"b":2})"});
}

TEST(JsonSplitter, OtherTextIsAnError) {
  expect_split("}", {"error"});
  expect_split("garbage", {"error"});
  expect_split("[{}]", {"error"});
  JsonSplitter splitter(kLongest);
  EXPECT_EQ(splitter.take("\x1b[31m").error().message(),
            "'\\x1b' where a JSON object should begin");
}

TEST(JsonSplitter, AnObjectHasAGreatestSize) {
  const std::string fits = "{\"a\":\"" + std::string(kLongest - 8, 'x') + "\"}";
  ASSERT_EQ(fits.size(), kLongest);
  EXPECT_EQ(split(fits + fits, 7), (Objects{fits, fits}));
  EXPECT_EQ(split("{" + fits, 7), Objects{"error"});
  EXPECT_EQ(split(std::string(1 << 20, '{'), 4096), Objects{"error"});
}

}  // namespace
}  // namespace ambbpf
