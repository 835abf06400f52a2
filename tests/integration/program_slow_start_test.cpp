// SPDX-License-Identifier: Apache-2.0
// An endpoint that comes back to the built program, or is added, gets its share little by little.
#include <gmock/gmock.h>

#include <memory>
#include <thread>

#include "tests/integration/program_reload.h"
#include "userspace/endpoints/slow_start.h"

namespace ambbpf::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ProgramSlowStart : public RunByFile {
 protected:
  std::string web(const std::vector<tcp::endpoint>& endpoints, const std::string& slow_start,
                  const std::string& more = "") const {
    std::vector<std::string> all;
    for (const auto& address : endpoints) all.push_back('"' + to_string(address) + '"');
    return fmt::format(
        "[service.web]\nlisten = \"{}\"\nendpoints = [{}]\nslow_start = \"{}\"\n{}\n",
        to_string(front), fmt::join(all, ", "), slow_start, more);
  }
  // Whoever comes from now on is not of the first set.
  void start(const std::string& text) {
    write(text);
    program = std::make_unique<Program>(by_file());
    ASSERT_TRUE(program->says("admin socket")) << program->err();
    ASSERT_TRUE(eventually([this] { return !status_of("web").endpoints.empty(); }));
    std::this_thread::sleep_for(SlowStarts::kFirstSet * 3 / 2);
  }
  StatusReport::Endpoint endpoint(std::size_t index) const {
    return status_of("web").endpoints.at(index);
  }
  std::string told_by(std::vector<std::string> words) const {
    words.insert(words.end(), {"--admin", admin().string()});
    return run(words).out;
  }
  // Of so many connections, those that `name` got.
  int taken_by(const std::string& name, int connections) const {
    int taken = 0;
    for (int i = 0; i < connections; ++i) taken += ask(front) == name ? 1 : 0;
    return taken;
  }

  const tcp::endpoint front = free_address();
  std::unique_ptr<Program> program;
};

TEST_F(ProgramSlowStart, OneThatIsUpAgainHasASmallShareAtFirstAndHalfAtTheEnd) {
  constexpr int kAtOnce = 20;
  constexpr int kAfter = 200;
  const auto address = free_address();
  NamedBackend stays("stays");
  start(web({address, stays.listener().address()}, "15s",
            "check = \"tcp\"\ncheck_interval = \"100ms\"\ncheck_rise = 2\ncheck_fall = 2\n"));
  ASSERT_TRUE(eventually([&] { return endpoint(0).check == "down"; }));
  EXPECT_EQ(taken_by("stays", 10), 10);
  NamedBackend back("back", address);
  ASSERT_TRUE(eventually([&] { return endpoint(0).slow_start.has_value(); })) << program->err();
  int connections = 0;
  int taken = 0;
  const auto begun = Clock::now();
  while (endpoint(0).slow_start.value_or(100) <= 30) {
    taken += taken_by("back", kAtOnce);
    connections += kAtOnce;
  }
  const std::chrono::duration<double> took = Clock::now() - begun;
  EXPECT_THAT(told_by({"why", "web"}), HasSubstr(to_string(address) + ": slow start, "));
  EXPECT_THAT(told_by({"status"}), HasSubstr(" slow start "));
  ASSERT_TRUE(eventually([&] { return !endpoint(0).slow_start; }));
  const int after = taken_by("back", kAfter);
  fmt::print(
      "measured, slow_start = \"15s\": the one that is back had {} of {} connections in the first "
      "{:.1f} s, and {} of {} after it\n",
      taken, connections, took.count(), after, kAfter);
  ASSERT_GT(connections, 0);
  EXPECT_LT(taken * 3, connections) << "30 of 130 at the most";
  EXPECT_NEAR(after, kAfter / 2.0, 2);
  EXPECT_THAT(told_by({"why", "web"}), Not(HasSubstr("slow start")));
}

TEST_F(ProgramSlowStart, OneThatIsAddedStartsSlowlyAndWithoutTheSettingItDoesNot) {
  NamedBackend one("one");
  NamedBackend two("two");
  NamedBackend added("added");
  std::vector<tcp::endpoint> endpoints{one.listener().address(), two.listener().address()};
  start(web(endpoints, "60m"));
  EXPECT_EQ(taken_by("two", 20), 10) << "it was there at the start";
  endpoints.push_back(added.listener().address());
  ASSERT_EQ(reload(web(endpoints, "60m")).code, 0);
  EXPECT_EQ(endpoint(2).slow_start, 10U);
  EXPECT_FALSE(endpoint(0).slow_start);
  EXPECT_EQ(taken_by("added", 210), 10);
  ASSERT_EQ(reload(web(endpoints, "0s")).code, 0);
  EXPECT_FALSE(endpoint(2).slow_start);
  EXPECT_EQ(taken_by("added", 30), 10);
}

}  // namespace
}  // namespace ambbpf::test
