// SPDX-License-Identifier: Apache-2.0
// The kernel programs decide as the pure function does.
#include <algorithm>
#include <random>

#include "tests/integration/direct_fixture.h"
#include "userspace/endpoints/choice.h"

namespace ambbpf::test {
namespace {

constexpr int kSets = 25;
constexpr std::size_t kConnects = 400;  // 10,000 in all

struct WeighedSet {
  std::string policy;
  std::vector<std::uint32_t> weights;  // by backend
};

WeighedSet random_set(std::mt19937& random, std::size_t backends) {
  WeighedSet set{.policy = random() % 4 == 0 ? "first" : "round_robin", .weights = {}};
  for (std::size_t i = 0; i < backends; ++i)
    set.weights.push_back(static_cast<std::uint32_t>(random() % 5));
  set.weights[random() % backends] = 1;  // not all of weight 0
  return set;
}

class DirectChoice : public Direct {
 protected:
  DirectChoice() {
    for (int i = 0; i < 5; ++i)
      backends.push_back(std::make_unique<NamedBackend>("b" + std::to_string(i)));
  }

  void write_set(const WeighedSet& set) {
    std::string endpoints;
    for (std::size_t i = 0; i < set.weights.size(); ++i)
      endpoints += "{address = " + quoted(*backends[i]) +
                   ", weight = " + std::to_string(set.weights[i]) + "}, ";
    more = "policy = \"" + set.policy + "\"\n";
    write(endpoints);
  }

  struct Decided {
    Choice choice;
    std::vector<std::string> names;  // of its candidates

    // From turn `first` on.
    std::vector<std::string> connects(std::uint64_t first) const {
      std::vector<std::string> all;
      for (std::uint64_t turn = first; turn < first + kConnects; ++turn)
        all.push_back(names[static_cast<std::size_t>(choice.pick(Client{}, turn) -
                                                     choice.candidates.data())]);
      return all;
    }
  };

  // By the pure function. The set's order is the status page's.
  Decided decided(const WeighedSet& set) const {
    Decided all{.choice = {.policy = policy_named(set.policy)}, .names = {}};
    const auto report = service();
    for (const auto& endpoint : report["endpoints"].GetArray()) {
      const auto at = std::ranges::find_if(backends, [&](const auto& backend) {
        return to_string(backend->listener().address()) == endpoint["address"].GetString();
      });
      const auto index = static_cast<std::size_t>(at - backends.begin());
      if (set.weights[index] == 0) continue;
      all.names.push_back("b" + std::to_string(index));
      all.choice.candidates.push_back(
          {std::make_shared<Backend>((*at)->listener().address()), set.weights[index]});
    }
    all.choice.order = all.choice.policy->order(all.choice.candidates);
    return all;
  }

  // Each has to answer before it is given out.
  bool all_are_given_out() const {
    const auto before = service()["direct_left"].GetUint64();
    for (int i = 0; i < 25; ++i) ask(front);
    return service()["direct_left"].GetUint64() == before;
  }

  std::vector<std::unique_ptr<NamedBackend>> backends;
};

TEST_F(DirectChoice, IsThatOfThePureFunction) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  auto set = random_set(random, backends.size());
  write_set(set);
  const auto ambassador = start();
  for (int i = 0; i < kSets; ++i) {
    ASSERT_TRUE(eventually([&] { return all_are_given_out(); })) << ambassador->err();
    std::vector<std::string> given_out;
    for (std::size_t connect = 0; connect < kConnects; ++connect) given_out.push_back(ask(front));
    // The turn before ours is not known, but for the length of a round: 5 of weight 4 at the most.
    const auto by_function = decided(set);
    bool agree = false;
    for (std::uint64_t first = 0; first < 20 && !agree; ++first)
      agree = given_out == by_function.connects(first);
    ASSERT_TRUE(agree) << "set " << i << ", policy " << set.policy << ", weights "
                       << testing::PrintToString(set.weights) << ": "
                       << testing::PrintToString(given_out);
    set = random_set(random, 1 + random() % backends.size());
    write_set(set);
    ASSERT_EQ(run({"reload", "--admin", admin()}).code, 0);
  }
}

}  // namespace
}  // namespace ambbpf::test
