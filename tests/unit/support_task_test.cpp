// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "userspace/support/task.h"

namespace ambbpf::test {
namespace {

// Says when it has begun and when it is over, in whatever way.
awaitable<void> wait_for_ever(std::shared_ptr<int> under_way) {
  struct Leave {
    int& under_way;
    ~Leave() { --under_way; }
  };
  const Leave leave{++*under_way};
  co_await until_cancelled();
}

awaitable<void> end_at_once() { co_return; }

class Tasks : public testing::Test {
 protected:
  Task begin() { return {io.get_executor(), wait_for_ever(under_way), used}; }
  void turn() {
    io.restart();
    io.poll();
  }

  asio::io_context io;
  std::shared_ptr<int> under_way = std::make_shared<int>(0);
  std::shared_ptr<int> used = std::make_shared<int>(0);
};

TEST_F(Tasks, EndTheirWorkWhenTheyAreStoppedAndThenReleaseWhatItUses) {
  auto task = begin();
  const std::weak_ptr<int> watched = used;
  used.reset();
  turn();
  EXPECT_EQ(*under_way, 1);
  task.stop();
  EXPECT_FALSE(watched.expired()) << "the work may still refer to it";
  turn();
  EXPECT_EQ(*under_way, 0);
  EXPECT_TRUE(watched.expired());
}

TEST_F(Tasks, AreStoppedByTheirEnd) {
  const std::weak_ptr<int> watched = used;
  {
    const auto task = begin();
    used.reset();
    turn();
    EXPECT_EQ(*under_way, 1);
  }
  turn();
  EXPECT_EQ(*under_way, 0);
  EXPECT_TRUE(watched.expired());
}

TEST_F(Tasks, MayBeStoppedBeforeTheirWorkHasBegun) {
  const std::weak_ptr<int> watched = used;
  {
    const auto task = begin();
    used.reset();
  }
  EXPECT_FALSE(watched.expired());
  turn();
  EXPECT_EQ(*under_way, 0);
  EXPECT_TRUE(watched.expired());
}

TEST_F(Tasks, ReleaseWhatIsUsedWhenTheWorkEndsByItself) {
  Task task(io.get_executor(), end_at_once(), used);
  turn();
  EXPECT_EQ(used.use_count(), 1);
  task.stop();  // of what is over: nothing
  turn();
}

TEST_F(Tasks, GoOnWhenTheyAreMoved) {
  auto first = begin();
  turn();
  const Task second(std::move(first));
  first.stop();  // NOLINT(bugprone-use-after-move): it has nothing any more
  turn();
  EXPECT_EQ(*under_way, 1);
}

TEST_F(Tasks, EndWhenAnotherTakesTheirPlace) {
  auto task = begin();
  turn();
  const auto other = std::make_shared<int>(0);
  task = Task(io.get_executor(), wait_for_ever(other), nullptr);
  turn();
  EXPECT_EQ(*under_way, 0);
  EXPECT_EQ(*other, 1);
  EXPECT_EQ(used.use_count(), 1);
  task = Task();
  turn();
  EXPECT_EQ(*other, 0);
}

TEST_F(Tasks, MayBeMovedToThemselves) {
  auto task = begin();
  auto& same = task;
  turn();
  task = std::move(same);
  turn();
  EXPECT_EQ(*under_way, 1);
}

TEST_F(Tasks, OutliveNeitherTheLoopNorWhatTheyUse) {
  const std::weak_ptr<int> watched = used;
  {
    asio::io_context own;
    const Task task(own.get_executor(), wait_for_ever(under_way), std::exchange(used, nullptr));
    own.poll();
    EXPECT_EQ(*under_way, 1);
  }
  EXPECT_EQ(*under_way, 0);
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace ambbpf::test
