// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "tests/support/must.h"
#include "userspace/direct/watches.h"

namespace ambbpf::test {
namespace {

struct Line {
  Line() {
    std::array<int, 2> ends{};
    must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0,
         "socketpair");
    ours = UniqueFd(ends[0]);
    theirs = UniqueFd(ends[1]);
  }
  UniqueFd ours;
  UniqueFd theirs;
};

class WatchesTest : public testing::Test {
 protected:
  asio::io_context io;
  int ended = 0;
  Watches watches{io, [this](const Backend&) { ++ended; }};
  std::shared_ptr<Backend> backend =
      std::make_shared<Backend>(tcp::endpoint(asio::ip::address_v4::loopback(), 80));
  Line line;
};

TEST_F(WatchesTest, TellsOfAnEnd) {
  watches.hold(backend, std::move(line.ours));
  io.poll();
  EXPECT_EQ(ended, 0);
  line.theirs = UniqueFd();
  io.restart();
  io.run_one();
  io.poll();
  EXPECT_EQ(ended, 1);
}

// As when an endpoint that stops says goodbye, ends the connection, and is taken out of etcd.
TEST_F(WatchesTest, EndOfOneThatHasBeenDroppedIsNobodysConcern) {
  watches.hold(backend, std::move(line.ours));
  io.poll();
  must(::write(line.theirs.get(), "bye", 3) == 3, "write");
  line.theirs = UniqueFd();
  io.restart();
  io.run_one();  // it has read, and not yet heard of the end
  watches.drop(*backend);
  io.poll();
  EXPECT_EQ(ended, 0);
}

}  // namespace
}  // namespace ambbpf::test
