// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/dns/answer.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using Message = std::vector<unsigned char>;

void add_number(Message& message, unsigned number) {
  message.push_back(static_cast<unsigned char>(number >> 8U));
  message.push_back(static_cast<unsigned char>(number & 0xffU));
}

// A name of one label; "": the root.
void add_name(Message& message, const std::string& label) {
  if (!label.empty()) message.push_back(static_cast<unsigned char>(label.size()));
  message.insert(message.end(), label.begin(), label.end());
  message.push_back(0);
}

struct Record {
  unsigned type = 33;  // SRV
  unsigned ttl = 60;
  Message data;
};

Message answer_with(const std::vector<Record>& records) {
  Message message{0, 1, 0x81, 0x80};
  add_number(message, 0);
  add_number(message, static_cast<unsigned>(records.size()));
  add_number(message, 0);
  add_number(message, 0);
  for (const auto& record : records) {
    add_name(message, "x");
    add_number(message, record.type);
    add_number(message, 1);
    add_number(message, 0);
    add_number(message, record.ttl);
    add_number(message, static_cast<unsigned>(record.data.size()));
    message.insert(message.end(), record.data.begin(), record.data.end());
  }
  return message;
}

Message srv(unsigned priority, unsigned weight, unsigned port, const std::string& target) {
  Message data;
  for (const auto number : {priority, weight, port}) add_number(data, number);
  add_name(data, target);
  return data;
}

TEST(SrvAnswer, HasItsRecordsInOrderAndTheSmallestTimeToLive) {
  Message alias;
  add_name(alias, "y");
  const auto answer = decode_srv_answer(answer_with({{.type = 5, .ttl = 7, .data = alias},
                                                     {.ttl = 60, .data = srv(20, 1, 80, "b")},
                                                     {.ttl = 30, .data = srv(10, 2, 81, "a")}}));
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->ttl, 7);
  ASSERT_EQ(answer->records.size(), 2U);
  EXPECT_EQ(answer->records[0],
            (SrvRecord{.priority = 10, .weight = 2, .port = 81, .target = "a"}));
  EXPECT_EQ(answer->records[1],
            (SrvRecord{.priority = 20, .weight = 1, .port = 80, .target = "b"}));
}

TEST(SrvAnswer, MayNameNoService) {
  const auto answer = decode_srv_answer(answer_with({{.data = srv(0, 0, 0, "")}}));
  ASSERT_TRUE(answer) << answer.error().message();
  ASSERT_EQ(answer->records.size(), 1U);
  EXPECT_EQ(answer->records[0].target, "");
}

TEST(SrvAnswer, LeavesOutWhatCannotBeUsed) {
  const auto answer = decode_srv_answer(answer_with({{.data = srv(0, 0, 0, "no-port")},
                                                     {.data = {0, 1, 0, 1, 0, 80}},
                                                     {.data = srv(0, 0, 80, "a")}}));
  ASSERT_TRUE(answer) << answer.error().message();
  ASSERT_EQ(answer->records.size(), 1U);
  EXPECT_EQ(answer->records[0].target, "a");
}

TEST(SrvAnswer, IsRefusedWhereItIsNone) {
  EXPECT_FALSE(decode_srv_answer({}));
  EXPECT_FALSE(decode_srv_answer(answer_with({})));
  const auto whole = answer_with({{.data = srv(1, 2, 80, "backend")}});
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_srv_answer(std::span(whole).first(size))) << size;
}

TEST(DnsAnswerAge, IsItsTimeToLiveWithinLimits) {
  const Clock::time_point now{};
  const auto age = [now](std::int64_t ttl) {
    DnsAnswer answer;
    set_age(answer, ttl, now);
    return answer.until - now;
  };
  EXPECT_EQ(age(0), 1s);
  EXPECT_EQ(age(30), 30s);
  EXPECT_EQ(age(86400), 5min);
}

}  // namespace
}  // namespace ambbpf::test
