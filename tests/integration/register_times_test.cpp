// SPDX-License-Identifier: Apache-2.0
// How long it takes until what happens to a container is seen. Printed; nothing here asserts a
// time.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "tests/integration/registration.h"
#include "tests/support/free_port.h"

namespace ambbpf::test {
namespace {

using Wall = std::chrono::system_clock;  // the clock of Docker's events

constexpr int kRounds = 5;

std::chrono::nanoseconds now() { return Wall::now().time_since_epoch(); }

double between(std::chrono::nanoseconds from, std::chrono::nanoseconds to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

class RegisterTimes : public RegistrationInBoth {
 protected:
  // When Docker says that this last happened to web-1, since 1970.
  std::chrono::nanoseconds time_of(const std::string& event) const {
    const auto until = now().count();
    const auto lines = engine.must(
        {"events", "--since", "1h", "--until",
         fmt::format("{}.{:09}", until / 1'000'000'000, until % 1'000'000'000), "--filter",
         "event=" + event, "--filter", "container=web-1", "--format", "{{.TimeNano}}"});
    return std::chrono::nanoseconds(std::stoll(lines.substr(lines.rfind('\n') + 1)));
  }

  // When the condition came to hold, since 1970, while the command `docker WORDS` ran.
  std::chrono::nanoseconds time_until(const Words& words,
                                      const std::function<bool()>& condition) const {
    const auto running = in_background([&] { engine.must(words); });
    if (!eventually(condition)) throw std::runtime_error("it never came to that");
    return now();
  }

  void tell(const std::string& what, std::vector<double> milliseconds) {
    std::sort(milliseconds.begin(), milliseconds.end());
    const auto median = fmt::format("{:.1f}", milliseconds[milliseconds.size() / 2]);
    RecordProperty(what, median);
    std::cout << fmt::format("measured, etcd {}: {}: median {} ms of {:.1f}\n", api(), what, median,
                             fmt::join(milliseconds, ", "));
  }
};

TEST_P(RegisterTimes, FromAContainersStartAndDeathToItsKey) {
  Program registrar(advertising({"web-1", "80", "web"}));
  std::vector<double> starts;
  std::vector<double> deaths;
  for (int round = 0; round < kRounds; ++round) {
    const auto there =
        time_until({"run", "--detach", "--name", "web-1", "-p", "80", DockerEngine::kImage},
                   [&] { return !value(kKey).empty(); });
    starts.push_back(between(time_of("start"), there));
    const auto gone = time_until({"kill", "web-1"}, [&] { return value(kKey).empty(); });
    deaths.push_back(between(time_of("die"), gone));
    engine.remove_all_containers();
  }
  tell("container start to key", starts);
  tell("container death to key gone", deaths);
}

TEST_P(RegisterTimes, FromAContainersDeathToAConnectionElsewhere) {
  const auto front = free_address();
  run_container("web-1", {"-p", "80", "--hostname", "one"});
  run_container("web-2", {"-p", "80", "--hostname", "two"});
  Program first(advertising({"web-1", "80", "web"}));
  Program second(advertising({"web-2", "80", "web"}));
  Program ambassador(proxy("web", front, {"--etcd", etcd.url(), "--etcd-api", api()}));
  const auto ask = [&] { return fetch(std::to_string(front.port())); };
  std::vector<double> failovers;
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_TRUE(eventually([&] { return ask() == "one\n"; })) << first.err() << ambassador.err();
    struct Ask {
      std::chrono::nanoseconds begun;
      std::chrono::nanoseconds ended;
      bool by_survivor;
    };
    std::vector<Ask> asks;
    const auto killing = in_background([&] { engine.must({"kill", "web-1"}); });
    ASSERT_TRUE(eventually([&] {
      const bool killed = killing.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
      const auto begun = now();
      const bool by_survivor = ask() == "two\n";
      asks.push_back({begun, now(), by_survivor});
      return killed && by_survivor;
    }));
    const auto death = time_of("die");
    const auto served = std::find_if(asks.begin(), asks.end(), [&](const Ask& one) {
      return one.begun >= death && one.by_survivor;
    });
    ASSERT_NE(served, asks.end());
    failovers.push_back(between(death, served->ended));
    engine.must({"start", "web-1"});
  }
  tell("container death to a connection elsewhere", failovers);
}

INSTANTIATE_TEST_SUITE_P(Etcd, RegisterTimes, testing::Values("v2", "v3"), name_of_api);

}  // namespace
}  // namespace ambbpf::test
