// SPDX-License-Identifier: Apache-2.0
// Zero hop when the ambassador ends, is killed, and comes again.
#include <atomic>
#include <csignal>
#include <thread>

#include "tests/integration/direct_fixture.h"

namespace ambbpf::test {
namespace {

class DirectDeath : public Direct {
 protected:
  static std::vector<std::filesystem::path> pinned() {
    std::vector<std::filesystem::path> all;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator("/sys/fs/bpf/ambbpf", none))
      all.push_back(entry.path());
    return all;
  }
  bool refused() const {
    boost::system::error_code error;
    asio::io_context io;
    tcp::socket(io).connect(front, error);
    return error == asio::error::connection_refused;
  }
  void stop_and_expect_nothing_left(Program& ambassador) const {
    ambassador.signal(SIGTERM);
    EXPECT_EQ(ambassador.wait(), 0) << ambassador.err();
    EXPECT_TRUE(pinned().empty());
    EXPECT_TRUE(refused());
  }
  static void kill(Program& ambassador) {
    ambassador.signal(SIGKILL);
    EXPECT_EQ(ambassador.wait(), -SIGKILL);
  }
};

TEST_F(DirectDeath, OpenConnectionsOutliveTheAmbassador) {
  Listener backend(loopback_v4());
  write('"' + to_string(backend.address()) + '"');
  auto ambassador = std::make_unique<Program>(run_it());
  ASSERT_TRUE(ambassador->says("admin socket")) << ambassador->err();
  ASSERT_TRUE(eventually([&] {
    Peer::connect_to(front);
    return connects() > 0;
  }));
  Peer consumer = Peer::connect_to(front);
  consumer.send("question");
  Peer served;
  ASSERT_TRUE(eventually([&] {
    served = backend.accept();
    return served.read_some(8) == "question";
  }));
  kill(*ambassador);
  auto second = start();
  EXPECT_TRUE(second->says("removed the programs of a process that is gone")) << second->err();
  EXPECT_EQ(peer_of(consumer.socket()), front) << "it still sees what it has dialled";
  served.send_and_finish("answer");
  EXPECT_EQ(consumer.read_all(), "answer");
}

// The listener is gone, and its table is still there.
TEST_F(DirectDeath, NewConnectsOutliveItForFailStatic) {
  NamedBackend backend("web");
  fail_static = "5s";
  write(quoted(backend));
  auto ambassador = start();
  wait_until_direct();
  kill(*ambassador);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(ask(front), "web") << i;
  EXPECT_EQ(pinned().size(), 1U);
  EXPECT_TRUE(eventually([this] { return refused(); })) << "the programs are as if not there";
  EXPECT_EQ(pinned().size(), 1U) << "until somebody removes them";
  const auto cleaned = run({"cleanup"});
  EXPECT_EQ(cleaned.code, 0) << cleaned.err;
  EXPECT_EQ(cleaned.out.find("removed /sys/fs/bpf/ambbpf/"), 0U) << cleaned.out;
  EXPECT_TRUE(pinned().empty());
}

TEST_F(DirectDeath, NextOneTakesOverWithoutAGap) {
  NamedBackend before("before");
  NamedBackend after("after");
  fail_static = "60s";
  write(quoted(before));
  auto first = start();
  wait_until_direct();
  kill(*first);
  ASSERT_EQ(ask(front), "before");
  write(quoted(after));
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::thread consumer([&] {
    while (!stop)
      if (const auto said = ask(front); said != "before" && said != "after") ++wrong;
  });
  auto second = start();
  EXPECT_TRUE(second->says("removed the programs of a process that is gone")) << second->err();
  EXPECT_TRUE(eventually([&] { return connects() > 0 && ask(front) == "after"; }));
  stop = true;
  consumer.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(pinned().size(), 1U);
  stop_and_expect_nothing_left(*second);
}

TEST_F(DirectDeath, CleanStopLeavesNothing) {
  NamedBackend backend("web");
  fail_static = "60s";
  write(quoted(backend));
  auto ambassador = start();
  wait_until_direct();
  EXPECT_EQ(pinned().size(), 1U);
  EXPECT_EQ(run({"cleanup"}).out, "nothing is left of a process that is gone\n");
  EXPECT_EQ(pinned().size(), 1U) << "what lives is left alone";
  stop_and_expect_nothing_left(*ambassador);
}

// Not asked for, and idle for longer than an answer speaks for it: it is better than a refusal.
TEST_F(DirectDeath, IdleEndpointIsGivenOutToo) {
  NamedBackend backend("web");
  fail_static = "60s";
  write(quoted(backend));
  auto ambassador = start();
  ASSERT_TRUE(ambassador->says("1 endpoint")) << ambassador->err();
  EXPECT_EQ(connects(), 0U);  // answered by the thread that has told the kernel before
  kill(*ambassador);
  EXPECT_EQ(ask(front), "web");
}

}  // namespace
}  // namespace ambbpf::test
