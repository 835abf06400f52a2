// SPDX-License-Identifier: Apache-2.0
// The kernel follows an endpoint's slow start.
#include <thread>

#include "tests/integration/direct_fixture.h"
#include "userspace/endpoints/slow_start.h"

namespace ambbpf::test {
namespace {

class DirectSlowStart : public Direct {
 protected:
  std::uint64_t percent_of_first() const {
    const auto report = service();
    const auto& first = report["endpoints"][0];
    return first.HasMember("slow_start") ? first["slow_start"].GetUint64() : 100;
  }
  void order(const std::string& verb, const NamedBackend& backend) const {
    EXPECT_EQ(run({verb, "web", to_string(backend.listener().address()), "--admin", admin()}).code,
              0);
  }
  // Of `connections` that go straight to an endpoint, those to `name`; -1: some went by the proxy.
  int taken_by(const std::string& name, std::uint64_t connections) const {
    const auto before = connects();
    int taken = 0;
    for (std::uint64_t i = 0; i < connections; ++i) taken += ask(front) == name ? 1 : 0;
    return connects() - before == connections ? taken : -1;
  }
};

TEST_F(DirectSlowStart, IsThatOfTheProxy) {
  NamedBackend back("back");
  NamedBackend stays("stays");
  more = "slow_start = \"15s\"\n";  // a third of it is long enough for a slow machine
  write(quoted(back) + ", " + quoted(stays));
  const auto ambassador = start();
  wait_until_direct();
  // Whoever comes from then on is not of the first set.
  std::this_thread::sleep_for(SlowStarts::kFirstSet * 3 / 2);
  EXPECT_TRUE(eventually([&] { return taken_by("back", 20) == 10; }));
  order("drain", back);
  EXPECT_EQ(taken_by("back", 20), 0);
  order("enable", back);
  int taken = 0;
  int connections = 0;
  while (percent_of_first() <= 30) {
    taken += taken_by("back", 20);
    connections += 20;
  }
  ASSERT_GT(connections, 0);
  EXPECT_GT(taken, 0) << "straight to it";
  EXPECT_LT(taken * 3, connections) << "30 of 130 at the most";
  EXPECT_TRUE(eventually([&] { return taken_by("back", 20) == 10; })) << "without another event";
}

}  // namespace
}  // namespace ambbpf::test
