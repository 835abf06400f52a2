// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "userspace/endpoints/endpoint_value.h"
#include "userspace/endpoints/standing.h"

namespace ambbpf::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Said {
  EndpointAttributes attributes;
  Standing standing;
};

TEST(Standing, IsWhatTheAttributesSay) {
  const Said table[] = {
      {{}, {1, 0, ""}},
      {{{"weight", "0"}, {"priority", "0"}, {"backup", "false"}}, {0, 0, ""}},
      {{{"zone", "nyc"}, {"weight", "1000"}, {"priority", "1000"}}, {1000, 1000, "nyc"}},
      {{{"backup", "true"}, {"priority", "1"}}, {1, kBackupPriority, ""}},
  };
  for (const auto& [attributes, standing] : table) {
    std::vector<std::string> wrong;
    EXPECT_EQ(standing_of(attributes, wrong), standing) << testing::PrintToString(attributes);
    EXPECT_THAT(wrong, IsEmpty());
  }
}

TEST(Standing, IsTheUsualOneWhereAnAttributeIsWrong) {
  for (const auto* text : {"", "-1", "1001", "1.5", "3x", " 3", "99999999999"})
    for (const auto* name : {"weight", "priority"}) {
      std::vector<std::string> wrong;
      EXPECT_EQ(standing_of({{name, text}}, wrong), Standing()) << name << ' ' << text;
      EXPECT_EQ(wrong.size(), 1U) << name << ' ' << text;
    }
  std::vector<std::string> wrong;
  EXPECT_EQ(standing_of({{"weight", "3"}, {"priority", "first"}, {"backup", "yes"}}, wrong),
            (Standing{3, 0, ""}))
      << "the others count";
  EXPECT_THAT(wrong, ElementsAre("priority 'first' is not a number from 0 to 1000; it counts 0",
                                 "backup 'yes' is neither true nor false; it counts false"));
}

TEST(Standing, IsTakenFromAValueInEtcd) {
  const auto value = decode_endpoint_value(
      R"({"host": "10.0.0.1", "port": 80, "priority": 2, "backup": true, "zone": "nyc"})");
  std::vector<std::string> wrong;
  EXPECT_EQ(standing_of(value->attributes, wrong), (Standing{1, kBackupPriority, "nyc"}));
  EXPECT_THAT(wrong, IsEmpty());
}

}  // namespace
}  // namespace ambbpf::test
