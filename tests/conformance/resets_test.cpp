// SPDX-License-Identifier: Apache-2.0
// A connection that breaks on one side breaks on the other, and a broken one invents nothing.
#include <thread>

#include "tests/conformance/relay_promises.h"

namespace ambbpf::test {

using namespace std::chrono_literals;

TEST_P(RelayPromises, PassesOnAResetOfAnIdleConnection) {
  for (const bool client_resets : {true, false})
    for (const bool taken_over : {false, true}) {
      start();
      if (taken_over) let_the_kernel_take_over();
      Peer& resetting = client_resets ? client : backend;
      Peer& other = client_resets ? backend : client;
      resetting.reset();
      EXPECT_EQ(other.read_until_end().error, std::errc::connection_reset);
      ASSERT_TRUE(proxy->becomes_idle());
    }
}

TEST_P(RelayPromises, PassesOnAResetByTheSenderInMidTransfer) {
  const auto bytes = bytes_from_seed(1, 64 * kMiB);
  for (const bool client_sends : {true, false}) {
    SCOPED_TRACE(client_sends);
    start();
    let_the_kernel_take_over();
    Peer& sender = client_sends ? client : backend;
    Peer& reader = client_sends ? backend : client;
    auto reading = in_background([&] { return reader.read_until_end(); });
    sender.send(std::string_view(bytes).substr(0, 5 * kMiB));
    sender.reset();
    const auto received = reading.get();
    EXPECT_EQ(received.error, std::errc::connection_reset);
    EXPECT_TRUE(is_prefix(received.bytes, bytes));
    ASSERT_TRUE(proxy->becomes_idle());
  }
}

TEST_P(RelayPromises, PassesOnAResetByTheSenderToAReaderThatHasStopped) {
  const auto bytes = bytes_from_seed(2, 64 * kMiB);
  for (const bool client_sends : {true, false}) {
    SCOPED_TRACE(client_sends);
    start();
    let_the_kernel_take_over();
    Peer& sender = client_sends ? client : backend;
    Peer& reader = client_sends ? backend : client;
    sender.send_until_stalled(bytes);
    sender.reset();
    reader.wait_until_broken();
    const auto received = reader.read_until_end();
    EXPECT_EQ(received.error, std::errc::connection_reset);
    EXPECT_TRUE(is_prefix(received.bytes, bytes));
    ASSERT_TRUE(proxy->becomes_idle());
  }
}

TEST_P(RelayPromises, PassesOnAResetByTheReaderInMidTransfer) {
  const auto bytes = bytes_from_seed(3, 8 * kMiB);
  for (const bool client_sends : {true, false}) {
    SCOPED_TRACE(client_sends);
    start();
    let_the_kernel_take_over();
    Peer& sender = client_sends ? client : backend;
    Peer& reader = client_sends ? backend : client;
    auto breaking = in_background([&] { return sender.send_until_broken(bytes); });
    EXPECT_TRUE(same(reader.read(kMiB), std::string_view(bytes).substr(0, kMiB)));
    reader.reset();
    const auto how = breaking.get();
    EXPECT_TRUE(how == std::errc::connection_reset || how == std::errc::broken_pipe) << how;
    ASSERT_TRUE(proxy->becomes_idle());
  }
}

TEST_P(RelayPromises, DeliversWhatCameLongBeforeAReset) {
  start();
  let_the_kernel_take_over();
  const auto bytes = bytes_from_seed(4, 20 * kKiB);
  client.send(bytes);
  std::this_thread::sleep_for(100ms);
  EXPECT_TRUE(same(backend.read(bytes.size()), bytes));
  client.reset();
  const auto received = backend.read_until_end();
  EXPECT_EQ(received.bytes, "");
  EXPECT_EQ(received.error, std::errc::connection_reset);
}

TEST_P(RelayPromises, PassesOnAResetThatFollowsAHalfClose) {
  for (const bool client_first : {true, false}) {
    SCOPED_TRACE(client_first);
    start();
    let_the_kernel_take_over();
    Peer& one = client_first ? client : backend;
    Peer& other = client_first ? backend : client;
    one.finish();
    EXPECT_EQ(other.read_all(), "");
    one.reset();
    other.wait_until_broken();
    ASSERT_TRUE(proxy->becomes_idle());

    start();
    let_the_kernel_take_over();
    one.finish();
    EXPECT_EQ(other.read_all(), "");
    other.reset();
    EXPECT_EQ(one.read_until_end().error, std::errc::connection_reset);
    ASSERT_TRUE(proxy->becomes_idle());
  }
}

TEST_P(RelayPromises, BreaksTheConnectionOfAPeerThatGoesOnWritingToOneThatHasLeft) {
  const auto bytes = bytes_from_seed(5, kMiB);
  for (const bool client_leaves : {true, false}) {
    SCOPED_TRACE(client_leaves);
    start();
    let_the_kernel_take_over();
    Peer& leaving = client_leaves ? client : backend;
    Peer& writing = client_leaves ? backend : client;
    leaving.close();
    EXPECT_EQ(writing.read_all(), "");
    EXPECT_TRUE(writing.send_until_broken(bytes));
    ASSERT_TRUE(proxy->becomes_idle());
  }
}

TEST_P(RelayPromises, EndsCleanlyForABackendWhoseClientLeftAtOnce) {
  for (int round = 0; round < 20; ++round) {
    connect().close();
    backend = listener->accept();
    EXPECT_EQ(backend.read_all(), "");
    backend.close();
  }
}

TEST_P(RelayPromises, InventsNothingForABackendWhoseClientResetAtOnce) {
  for (int round = 0; round < 20; ++round) {
    connect().reset();
    backend = listener->accept();
    EXPECT_EQ(backend.read_until_end().bytes, "");
    backend.close();
  }
}

}  // namespace ambbpf::test
