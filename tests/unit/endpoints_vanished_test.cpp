// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <numeric>

#include "userspace/endpoints/vanished.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

Endpoint numbered_endpoint(unsigned short port) {
  return {tcp::endpoint(asio::ip::address_v4::loopback(), port), "key " + std::to_string(port)};
}

std::vector<Endpoint> endpoints_at(const std::vector<unsigned short>& ports) {
  std::vector<Endpoint> endpoints;
  for (const auto port : ports) endpoints.push_back(numbered_endpoint(port));
  return endpoints;
}

class Vanished : public testing::Test {
 protected:
  std::size_t publish(const std::vector<unsigned short>& ports, Clock::duration grace = 10s) {
    return set.publish(endpoints_at(ports), now, grace);
  }
  std::vector<int> in_force() const {
    std::vector<int> ports;
    for (const auto& endpoint : set.in_force()) ports.push_back(endpoint.address.port());
    return ports;
  }
  void note(unsigned short port, bool answers) {
    set.note(numbered_endpoint(port).address, answers);
  }

  VanishedTogether set;
  Clock::time_point now = Clock::now();
};

TEST_F(Vanished, OneThatVanishesAloneIsGone) {
  publish({1, 2, 3});
  EXPECT_EQ(publish({1, 2}), 0U);
  now += 1001ms;
  EXPECT_EQ(publish({1}), 0U);
  now += 1001ms;
  EXPECT_EQ(publish({}), 0U);
  EXPECT_THAT(in_force(), IsEmpty());
}

// How many of so many vanish at once, and whether they are kept.
struct VanishedShare {
  unsigned short of;
  unsigned short vanish;
  bool kept;
};

TEST_F(Vanished, TwoAndHalfOfAllAtLeastAreKept) {
  for (const auto& [of, vanish, kept] :
       {VanishedShare{1, 1, false}, VanishedShare{2, 1, false}, VanishedShare{2, 2, true},
        VanishedShare{3, 2, true}, VanishedShare{4, 2, true}, VanishedShare{5, 2, false},
        VanishedShare{9, 9, true}}) {
    set = {};
    std::vector<unsigned short> all(of);
    std::iota(all.begin(), all.end(), static_cast<unsigned short>(1));
    publish(all);
    EXPECT_EQ(publish({all.begin() + vanish, all.end()}), kept ? vanish : 0U);
    EXPECT_EQ(in_force().size(), kept ? of : static_cast<std::size_t>(of - vanish))
        << vanish << " of " << of;
  }
}

TEST_F(Vanished, InSeveralStepsIsTogetherWithinASecond) {
  publish({1, 2, 3});
  EXPECT_EQ(publish({1, 2}), 0U);
  EXPECT_THAT(in_force(), ElementsAre(1, 2));
  now += 900ms;
  EXPECT_EQ(publish({1}), 2U);
  EXPECT_THAT(in_force(), ElementsAre(1, 2, 3));
  EXPECT_EQ(publish({}), 0U) << "one more, alone";
  EXPECT_THAT(in_force(), ElementsAre(2, 3));
}

TEST_F(Vanished, OneThatComesBackInBetweenHasNotVanished) {
  publish({1, 2});
  publish({2});
  publish({1, 2});
  EXPECT_EQ(publish({1}), 0U) << "as at a rolling restart";
  EXPECT_THAT(in_force(), ElementsAre(1));
}

TEST_F(Vanished, ComeBackAsIfNothingHadHappened) {
  publish({1, 2, 3, 4});
  publish({3});
  EXPECT_THAT(in_force(), ElementsAre(1, 2, 3, 4));
  publish({2, 3});
  EXPECT_THAT(in_force(), ElementsAre(1, 2, 3, 4));
  publish({2, 3, 4, 5});
  EXPECT_THAT(in_force(), ElementsAre(1, 2, 3, 4, 5));
  publish({1, 2, 3, 4, 5});
  EXPECT_THAT(set.kept(), IsEmpty());
  now += 1h;
  set.end_those_due(now);
  EXPECT_THAT(in_force(), ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(Vanished, AreGoneAtTheEndOfTheirGrace) {
  publish({1, 2});
  publish({});
  now += 9999ms;
  set.end_those_due(now);
  EXPECT_THAT(in_force(), ElementsAre(1, 2));
  now += 1ms;
  set.end_those_due(now);
  EXPECT_THAT(in_force(), IsEmpty());
}

TEST_F(Vanished, AreGoneWhenTheyDoNotAnswerTwice) {
  publish({1, 2});
  publish({});
  note(1, false);
  note(1, true);
  note(1, false);
  EXPECT_THAT(in_force(), ElementsAre(1, 2)) << "not in a row";
  note(1, false);
  EXPECT_THAT(in_force(), ElementsAre(2));
}

TEST_F(Vanished, AreGoneAtOnceWithoutGrace) {
  publish({1, 2});
  EXPECT_EQ(publish({}, 0s), 0U);
  EXPECT_THAT(in_force(), IsEmpty());
}

}  // namespace
}  // namespace ambbpf::test
