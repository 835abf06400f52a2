// SPDX-License-Identifier: Apache-2.0
// Who comes back gets its share little by little.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/support/peers.h"
#include "tests/unit/candidates.h"
#include "userspace/endpoints/service.h"
#include "userspace/endpoints/slow_start.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

TEST(SlowPart, RisesInALineFromATenthToAll) {
  const struct {
    Clock::duration since;
    Clock::duration slow_start;
    SlowPart part;
  } table[] = {
      {0s, 18s, {10, 1s}},
      {999ms, 18s, {10, 1s}},
      {1s, 18s, {15, 2s}},
      {9s, 18s, {55, 10s}},
      {17s, 18s, {95, 18s}},
      {18s - 1ns, 18s, {95, 18s}},
      {18s, 18s, {}},
      {1h, 18s, {}},
      {-1ms, 18s, {10, 1s}},  // another thread's now
      {1'500ms, 5s, {35, 1'666'666'667ns}},
      {0s, 24h, {10, 80min}},
      {0s, 1ms, {10, 55'556ns}},
  };
  for (const auto& [since, slow_start, part] : table) {
    const auto found = slow_part(since, slow_start);
    EXPECT_EQ(found.percent, part.percent) << since.count() << ' ' << slow_start.count();
    EXPECT_EQ(found.until.count(), part.until.count())
        << since.count() << ' ' << slow_start.count();
  }
}

TEST(SlowPart, IsAnotherOneAtEachStepAndNotBefore) {
  for (const Clock::duration slow_start : {5'000'000'000ns, 7'000'000'003ns, 20ns}) {
    Clock::duration since{0};
    for (unsigned percent = 10; percent <= 95; percent += 5) {
      const auto part = slow_part(since, slow_start);
      EXPECT_EQ(part.percent, percent);
      EXPECT_EQ(slow_part(part.until - 1ns, slow_start).percent, percent);
      since = part.until;
    }
    EXPECT_EQ(slow_part(since, slow_start), SlowPart());
  }
}

// The endpoints of a service at one moment after another.
class SlowStartsOf : public testing::Test {
 protected:
  std::vector<std::uint32_t> percents(Clock::duration at) {
    for (auto& candidate : all) candidate.percent = 100;
    until = starts.weigh(all, candidates_of(all, begun + at, 50), 18s, begun + at);
    std::vector<std::uint32_t> found;
    for (const auto& candidate : all) found.push_back(candidate.percent);
    return found;
  }
  void is_down(std::size_t index, bool down) const {
    all[index].backend->keep_check(Checked{.is_down = down, .since = begun, .at = begun});
  }

  const Clock::time_point begun = Clock::now();
  std::vector<Candidate> all = candidates_of_weights({1, 1, 1});
  SlowStarts starts;
  Clock::time_point until;
};

TEST_F(SlowStartsOf, AreNoneOfAFirstSet) {
  const auto late = all.back();
  all.pop_back();
  EXPECT_THAT(percents(0s), ElementsAre(100, 100));
  EXPECT_EQ(until, Clock::time_point::max());
  all.push_back(late);
  EXPECT_THAT(percents(999ms), ElementsAre(100, 100, 100)) << "of another source";
}

TEST_F(SlowStartsOf, AreThoseThatAreAddedOrUpAgainUntilTheyHaveTheirWhole) {
  auto added = all.back();
  all.pop_back();
  percents(0s);
  all.push_back(added);
  EXPECT_THAT(percents(10s), ElementsAre(100, 100, 10));
  EXPECT_EQ(until, begun + 11s);
  is_down(0, true);
  EXPECT_THAT(percents(15s), ElementsAre(100, 100, 35));
  is_down(0, false);
  EXPECT_THAT(percents(19s), ElementsAre(10, 100, 55));
  EXPECT_EQ(until, begun + 20s);
  EXPECT_THAT(percents(28s), ElementsAre(55, 100, 100));
  EXPECT_THAT(percents(37s), ElementsAre(100, 100, 100));
  EXPECT_EQ(until, Clock::time_point::max());
}

TEST_F(SlowStartsOf, BeginAgainWithEachReturn) {
  percents(0s);
  for (const auto at : {10s, 20s, 30s}) {
    is_down(0, true);
    EXPECT_THAT(percents(at), ElementsAre(100, 100, 100));
    is_down(0, false);
    EXPECT_THAT(percents(at + 1s), ElementsAre(10, 100, 100));
    EXPECT_THAT(percents(at + 5s), ElementsAre(30, 100, 100));
  }
}

TEST_F(SlowStartsOf, AreThoseOfATrialThatWasWonAndOfAWeightAbove0) {
  percents(0s);
  all[0].backend->report(BackendOutcome::kConnectFailed, begun + 2s);
  all[1].weight = 0;
  EXPECT_THAT(percents(2s), ElementsAre(100, 100, 100));
  EXPECT_THAT(percents(4s), ElementsAre(100, 100, 100)) << "it is due";
  all[0].backend->report(BackendOutcome::kConnected, begun + 5s);
  EXPECT_THAT(percents(5s), ElementsAre(10, 100, 100));
  all[1].weight = 7;
  EXPECT_THAT(percents(6s), ElementsAre(15, 10, 100));
}

TEST_F(SlowStartsOf, AreNotOfOneThatHasNobodyBesideIt) {
  percents(0s);
  for (const std::size_t i : {0U, 1U, 2U}) is_down(i, true);
  EXPECT_THAT(percents(10s), ElementsAre(100, 100, 100));
  is_down(0, false);
  EXPECT_THAT(percents(20s), ElementsAre(100, 100, 100)) << "all were used all the same";
  is_down(1, false);
  EXPECT_THAT(percents(30s), ElementsAre(100, 10, 100));
}

TEST_F(SlowStartsOf, AreNotOfAPrimaryThatOnlyBackupsStoodInFor) {
  all[1].priority = all[2].priority = kBackupPriority;
  is_down(0, true);
  percents(0s);
  is_down(0, false);
  EXPECT_THAT(percents(10s), ElementsAre(100, 100, 100)) << "it is the only candidate now";
}

TEST_F(SlowStartsOf, AreNotOfASetThatTakesAllOfAnothersPlace) {
  percents(0s);
  all = candidates_of_weights({1, 1});
  EXPECT_THAT(percents(10s), ElementsAre(100, 100));
}

TEST(SlowStart, TurnsAreAsManyAsThePercentSaysAndStaySmooth) {
  auto candidates = candidates_of_weights({1, 1, 1});
  candidates[1].percent = 20;
  EXPECT_THAT(turns_of(candidates), ElementsAre(0, 2, 0, 2, 1, 0, 2, 0, 2, 0, 2));
  for (auto& candidate : candidates) candidate.percent = 20;
  EXPECT_THAT(turns_of(candidates), ElementsAre()) << "alike";
  auto weighed = candidates_of_weights({4, 1});
  weighed[0].percent = 25;
  EXPECT_THAT(turns_of(weighed), ElementsAre());
}

TEST(SlowStart, LoadIsComparedByIt) {
  for (const std::string_view policy : {"least_connections", "random_two"}) {
    auto candidates = candidates_of_weights({1, 1});
    candidates[1].percent = 10;
    const auto choice = choice_of(policy, std::move(candidates));
    for (std::uint64_t turn = 0; turn < 110; ++turn)
      ++choice.pick(Client{}, turn)->backend->connections_now;
    EXPECT_EQ(choice.candidates[1].backend->busy(), 10U) << policy;
  }
}

TEST(SlowStart, IsFollowedByPoliciesThatWeigh) {
  std::map<std::string_view, bool> follows;
  for (const auto& policy : all_policies()) follows[policy.name] = policy.starts_slowly;
  EXPECT_EQ(follows, (std::map<std::string_view, bool>{{"round_robin", true},
                                                       {"least_connections", true},
                                                       {"random_two", true},
                                                       {"source", false},
                                                       {"first", false}}));
}

// As the table of a service has it, by its own clock.
class SlowService : public testing::Test {
 protected:
  static Endpoint at(unsigned short port) {
    return {{asio::ip::address_v4::loopback(), port}, "key", {}};
  }
  std::shared_ptr<Backend> backend(int port) const {
    for (const auto& listed : *service.in_force())
      if (listed.backend->address().port() == port) return listed.backend;
    return nullptr;
  }
  std::map<int, unsigned> percents() {
    std::map<int, unsigned> found;
    for (const auto& candidate : service.choice()->candidates)
      found[port_of(&candidate)] = candidate.percent;
    return found;
  }
  using Percents = std::map<int, unsigned>;

  // One that comes is slow as soon as the first have been there for a while.
  void SetUp() override {
    service.choose_by(slowly);
    publish({at(1)});
    ASSERT_TRUE(eventually([this] {
      publish({at(1)});
      publish({at(1), at(2)});
      return percents() == Percents{{1, 100}, {2, 10}};
    }));
  }

  const Balance slowly{.slow_start = 24h};
  Service service{"web"};
  Publish publish = service.way_in(service.add_source());
};

TEST_F(SlowService, KnowsEachWayToComeBack) {
  const auto first = backend(1);
  service.report(*first, BackendOutcome::kConnectFailed, "refused");
  EXPECT_EQ(percents(), (Percents{{2, 10}}));
  service.report(*first, BackendOutcome::kConnected);
  EXPECT_EQ(percents(), (Percents{{1, 10}, {2, 10}}));

  service.choose_by({});
  EXPECT_EQ(percents(), (Percents{{1, 100}, {2, 100}})) << "it is off";
  service.choose_by(slowly);
  EXPECT_EQ(percents(), (Percents{{1, 100}, {2, 100}})) << "nobody has come since";
}

TEST_F(SlowService, OneThatIsEnabledByHandStartsSlowly) {
  Overrides drained;
  drained.each[backend(1)->address()].is_drained = true;
  service.override_by(drained);
  EXPECT_EQ(percents(), (Percents{{2, 10}}));
  service.override_by({});
  EXPECT_EQ(percents(), (Percents{{1, 10}, {2, 10}}));
}

TEST_F(SlowService, OneWhoseChecksPassAgainStartsSlowly) {
  const auto now = Clock::now();
  service.report_check(*backend(1), Checked{.is_down = true, .since = now, .at = now});
  EXPECT_EQ(percents(), (Percents{{2, 10}}));
  service.report_check(*backend(1), Checked{.since = now, .at = now});
  EXPECT_EQ(percents(), (Percents{{1, 10}, {2, 10}}));
}

TEST_F(SlowService, PicksFollow) {
  std::map<int, int> picked;
  for (int i = 0; i < 110; ++i) ++picked[service.pick({})->address().port()];
  EXPECT_EQ(picked[1], 100);
  EXPECT_EQ(picked[2], 10);
  for (const std::string_view policy : {"source", "first"}) {
    auto balance = slowly;
    balance.policy = policy_named(policy);
    service.choose_by(balance);
    EXPECT_EQ(percents(), (Percents{{1, 100}, {2, 100}})) << policy;
  }
}

}  // namespace
}  // namespace ambbpf::test
