// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/captured_log.h"
#include "tests/support/peers.h"
#include "userspace/endpoints/change_log.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Set = std::set<tcp::endpoint>;

Set ports(unsigned short from, unsigned short to) {
  Set set;
  for (unsigned short port = from; port <= to; ++port)
    set.insert({asio::ip::address_v4::loopback(), port});
  return set;
}

TEST(ChangeLog, SaysWhatHasChanged) {
  EXPECT_EQ(describe_change({}, ports(1, 1)), "1 endpoint: 127.0.0.1:1");
  EXPECT_EQ(describe_change({}, ports(1, 2)), "2 endpoints: 127.0.0.1:1, 127.0.0.1:2");
  EXPECT_EQ(describe_change(ports(1, 3), ports(2, 4)), "+127.0.0.1:4 -127.0.0.1:1 (3 endpoints)");
  EXPECT_EQ(describe_change(ports(1, 1), {}), "-127.0.0.1:1 (no endpoint)");
}

TEST(ChangeLog, NamesTenAddressesAtMost) {
  EXPECT_THAT(describe_change({}, ports(1, 17)), testing::EndsWith("127.0.0.1:10 and 7 more"));
  const auto exchanged = describe_change(ports(1, 8), ports(11, 18));
  EXPECT_THAT(exchanged, HasSubstr("-127.0.0.1:2 and 6 more (8 endpoints)"));
}

TEST(ChangeLog, SaysNothingWhereNothingHasChanged) {
  const CapturedLog log;
  ChangeLog changes;
  changes.tell("web", {});
  changes.tell("web", ports(1, 1));
  changes.tell("web", ports(1, 1));
  EXPECT_THAT(log.lines(), ElementsAre("service web: 1 endpoint: 127.0.0.1:1"));
}

TEST(ChangeLog, AFloodOfChangesIsAFewLinesAndTheLastStateIsToldInTheEnd) {
  constexpr unsigned short kChanges = 1000;
  const CapturedLog log;
  ChangeLog changes;
  for (unsigned short last = 1; last <= kChanges; ++last) changes.tell("web", ports(last, last));
  EXPECT_LE(log.lines().size(), kChanges / 2U);
  const auto newest = fmt::format("+127.0.0.1:{} ", kChanges);
  EXPECT_TRUE(eventually([&] {
    changes.tell("web", ports(kChanges, kChanges));
    return log.lines().back().find(newest) != std::string::npos;
  }));
  EXPECT_THAT(log.lines().back(), HasSubstr("more before it"));
}

}  // namespace
}  // namespace ambbpf::test
