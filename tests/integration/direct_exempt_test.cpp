// SPDX-License-Identifier: Apache-2.0
// Zero hop, and who wants none.
#include <sys/socket.h>

#include "tests/integration/direct_fixture.h"
#include "tests/support/own_cgroup.h"

namespace ambbpf::test {
namespace {

TEST_F(Direct, ProcessesInExceptedCgroupsGoByTheProxy) {
  NamedBackend backend("web");
  const OwnCgroup cgroup;
  cgroup.leave();
  above = "direct_except_cgroups = [\"" + cgroup.path().string() + "\"]\n";
  write(quoted(backend));
  const auto ambassador = start();
  wait_until_direct();
  const auto before = connects();
  for (const auto* place : {"", "below"}) {
    cgroup.enter(place);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(front), "web");
  }
  EXPECT_EQ(connects(), before);
  cgroup.leave();
  EXPECT_EQ(ask(front), "web");
  EXPECT_EQ(connects(), before + 1);
}

TEST_F(Direct, SocketsWithTheExceptedMarkGoByTheProxy) {
  Listener backend(loopback_v4());
  above = "direct_except_mark = 7\n";
  write('"' + to_string(backend.address()) + '"');
  const auto ambassador = start();
  wait_until_direct([&] { Peer::connect_to(front); });
  for (const unsigned mark : {7U, 8U}) {
    const auto before = connects();
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    must(::setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0, "SO_MARK");
    must(::connect(socket.get(), front.data(), static_cast<socklen_t>(front.size())) == 0,
         "connect");
    EXPECT_EQ(connects(), mark == 7 ? before : before + 1);
  }
}

TEST_F(Direct, SaysThatAnExceptedCgroupIsNotThere) {
  NamedBackend backend("web");
  above = "direct_except_cgroups = [\"/sys/fs/cgroup/nosuch\"]\n";
  write(quoted(backend));
  Program ambassador(run_it());
  EXPECT_TRUE(
      ambassador.says("all consumers go by the proxy: open the cgroup "
                      "/sys/fs/cgroup/nosuch: No such file or directory"))
      << ambassador.err();
  ASSERT_TRUE(ambassador.says("admin socket")) << ambassador.err();
  EXPECT_EQ(ask(front), "web");
}

}  // namespace
}  // namespace ambbpf::test
