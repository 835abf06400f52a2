// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <functional>

#include "userspace/dataplane/path_trial.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using Path = PathTrial::Path;

// A load whose paths move so much, looked at each 20 ms.
class Trial : public testing::Test {
 protected:
  // Returns the share of the time that user space served.
  double go_on(Clock::duration span, const std::function<double(Path)>& moves, bool hot = true) {
    int samples = 0;
    int in_user = 0;
    for (const auto end = now + span; now < end; now += 20ms, ++samples) {
      in_user += path == Path::kUser ? 1 : 0;
      path = trial.sample(now, moves(path), hot);
    }
    return static_cast<double>(in_user) / samples;
  }
  static std::function<double(Path)> moving(double kernel, double user) {
    return [=](Path path) { return path == Path::kKernel ? kernel : user; };
  }

  PathTrial trial;
  Path path = Path::kKernel;
  Clock::time_point now{1h};
};

TEST_F(Trial, StaysWithTheKernelWhereThatIsFasterAndTriesTheOtherSeldom) {
  EXPECT_LT(go_on(100s, moving(200, 100)), 0.02);
  EXPECT_EQ(path, Path::kKernel);
}

TEST_F(Trial, TakesUserSpaceWithinMomentsWhereThatIsClearlyFaster) {
  go_on(800ms, moving(100, 140));
  EXPECT_EQ(path, Path::kUser);
  EXPECT_GT(go_on(100s, moving(100, 140)), 0.98);
}

TEST_F(Trial, StaysWithTheKernelWhereUserSpaceIsALittleFaster) {
  EXPECT_LT(go_on(100s, moving(100, 115)), 0.02);
}

TEST_F(Trial, ReturnsWhenTheKernelHasBecomeAsFast) {
  go_on(2s, moving(100, 140));
  ASSERT_EQ(path, Path::kUser);
  go_on(60s, moving(140, 140));
  EXPECT_EQ(trial.preferred(), Path::kKernel);
}

TEST_F(Trial, ALoadThatGrowsMeanwhileDoesNotSpeakForTheOtherPath) {
  double load = 100;
  go_on(3s, [&load](Path) { return load *= 1.02; });
  EXPECT_EQ(trial.preferred(), Path::kKernel);
}

TEST_F(Trial, ForgetsWhenNothingIsHotForAWhile) {
  go_on(2s, moving(100, 140));
  ASSERT_EQ(path, Path::kUser);
  go_on(500ms, moving(0, 0), false);
  EXPECT_EQ(path, Path::kUser);
  go_on(1s, moving(0, 0), false);
  EXPECT_EQ(path, Path::kKernel);
}

TEST_F(Trial, AnInterruptedOneEndsOnThePathBefore) {
  while (path == Path::kKernel) go_on(20ms, moving(100, 50));
  go_on(20ms, moving(0, 0), false);
  EXPECT_EQ(path, Path::kKernel);
}

TEST_F(Trial, DoesNothingWhileNothingIsHot) {
  EXPECT_EQ(go_on(100s, moving(100, 140), false), 0.0);
}

}  // namespace
}  // namespace ambbpf::test
