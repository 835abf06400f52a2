// SPDX-License-Identifier: Apache-2.0
// Zero hop to endpoints elsewhere that stop.
#include "tests/integration/direct_fixture.h"
#include "tests/support/other_network.h"

namespace ambbpf::test {
namespace {

class DirectWatch : public Direct {
 protected:
  DirectWatch() {
    above = "log_level = \"debug\"\n";
    elsewhere = other.inside([] {
      return std::make_unique<Listener>(tcp::endpoint(asio::ip::make_address("198.51.100.2"), 0));
    });
  }

  OtherNetwork other{"198.51.100.1", "198.51.100.2"};
  std::unique_ptr<Listener> elsewhere;
};

TEST_F(DirectWatch, EndpointThatStopsIsNotGivenOutAnyMore) {
  more = "direct_watch = true\nhold = \"1s\"\n";
  write('"' + to_string(elsewhere->address()) + '"');
  const auto ambassador = start();
  wait_until_direct([this] { Peer::connect_to(front); });
  elsewhere.reset();
  ASSERT_TRUE(ambassador->says("has ended the connection that watches it")) << ambassador->err();
  const auto before = connects();
  for (int i = 0; i < 10; ++i) Peer::connect_to(front);  // to the listener, which holds
  EXPECT_EQ(connects(), before);
  EXPECT_EQ(service()["endpoints"][0]["direct_failed"].GetUint64(), 0U);
}

}  // namespace
}  // namespace ambbpf::test
