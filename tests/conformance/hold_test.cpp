// SPDX-License-Identifier: Apache-2.0
// What becomes of a connection whose service has no endpoint at the moment, or none that answers.
#include <thread>

#include "tests/conformance/relay_promises.h"

namespace ambbpf::test {

using namespace std::chrono_literals;

TEST_P(RelayPromises, HoldsAConnectionUntilAnEndpointIsPublished) {
  serve_nobody_yet(kTimeout);
  client = connect();
  const auto early = bytes_from_seed(1, 100 * kKiB);
  client.send(early);
  ASSERT_TRUE(eventually([&] { return proxy->service().held == 1; }));
  std::this_thread::sleep_for(100ms);
  proxy->publish({listener->address()});
  backend = listener->accept();
  EXPECT_TRUE(same(backend.read(early.size()), early));
  backend.send_and_finish("answer");
  EXPECT_EQ(client.read_all(), "answer");
}

TEST_P(RelayPromises, ResetsAConnectionThatWasHeldInVain) {
  serve_nobody_yet(200ms);
  client = connect();
  EXPECT_EQ(client.read_until_end().error, std::errc::connection_reset);
  EXPECT_EQ(proxy->service().no_endpoint, 1U);
}

TEST_P(RelayPromises, DeliversTheLastWordsOfAClientThatLeftWhileItWasHeld) {
  serve_nobody_yet(kTimeout);
  connect().send("too late");
  ASSERT_TRUE(eventually([&] { return proxy->service().held == 1; }));
  proxy->publish({listener->address()});
  backend = listener->accept();
  EXPECT_EQ(backend.read_all(), "too late");
}

TEST_P(RelayPromises, ForgetsAClientThatLeftWhileItWasHeldInVain) {
  serve_nobody_yet(200ms);
  connect().close();
  connect().reset();
  ASSERT_TRUE(eventually([&] { return proxy->service().no_endpoint == 2; }));
}

TEST_P(RelayPromises, ShowsNothingButTheEndOfAClientThatResetWhileItWasHeld) {
  serve_nobody_yet(kTimeout);
  connect().reset();
  ASSERT_TRUE(eventually([&] { return proxy->service().held == 1; }));
  proxy->publish({listener->address()});
  backend = listener->accept();
  EXPECT_EQ(backend.read_until_end().bytes, "");
}

TEST_P(RelayPromises, ResetsWhatIsOpenAndWhatIsHeldWhenToldTo) {
  serve_nobody_yet(10 * kTimeout);
  proxy->publish({listener->address()});
  start();
  let_the_kernel_take_over();
  proxy->publish({});
  Peer held = connect();
  ASSERT_TRUE(eventually([&] { return proxy->service().held == 1; }));
  proxy->reset_all();
  EXPECT_EQ(client.read_until_end().error, std::errc::connection_reset);
  EXPECT_EQ(backend.read_until_end().error, std::errc::connection_reset);
  EXPECT_EQ(held.read_until_end().error, std::errc::connection_reset);
}

TEST_P(RelayPromises, KeepsConnectionsWhoseEndpointIsWithdrawn) {
  start();
  let_the_kernel_take_over();
  proxy->publish({});
  client.send("still there?");
  EXPECT_EQ(backend.read(12), "still there?");
  backend.send("yes");
  EXPECT_EQ(client.read(3), "yes");
}

}  // namespace ambbpf::test
