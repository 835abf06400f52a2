// SPDX-License-Identifier: Apache-2.0
// The proxy's own check that every byte received was sent on: it must be able to fail.
#include <sys/socket.h>
#include <unistd.h>

#include "tests/conformance/relay_promises.h"
#include "tests/support/borrowed_socket.h"

namespace ambbpf::test {
namespace {

// So little that the reader's side fills up at once and the proxy leaves off reading.
constexpr Buffers kSmall{.receive = 32 * kKiB};

// In the sockmap such an end is not passed on as a clean one. Where the proxy itself has read the
// end of the stream, it is. Whether a connection of plain `sockmap` is in the map is left to
// chance.
void expect_end_in_doubt(const Received& received, const EngineUnderTest& engine) {
  if (engine.relay.engine != Engine::kSockmap) {
    EXPECT_FALSE(received.error);
  } else if (engine.relay.promotion.turns == 0) {
    EXPECT_EQ(received.error, std::errc::connection_reset);
  }
}

}  // namespace

// While the reader stands still, bytes wait in the proxy's socket: somebody takes one of them away.
TEST_P(RelayPromises, NoticesAByteThatWasLost) {
  const auto bytes = bytes_from_seed(1, kMostHeld);
  for (const bool client_sends : {true, false}) {
    SCOPED_TRACE(client_sends);
    start(client_sends ? Buffers{} : kSmall, client_sends ? kSmall : Buffers{});
    let_the_kernel_take_over();
    Peer& sender = client_sends ? client : backend;
    Peer& reader = client_sends ? backend : client;
    const auto sent = sender.send_until_stalled(bytes);

    char stolen = 0;
    ASSERT_EQ(::recv(proxys_socket_to(sender).get(), &stolen, 1, MSG_DONTWAIT), 1);

    sender.finish();
    reader.finish();
    ++expected_mismatches;
    const auto received = reader.read_until_end();
    EXPECT_TRUE(eventually([&] { return proxy->counts().mismatches == expected_mismatches; }));
    EXPECT_LT(received.bytes.size(), sent);
    expect_end_in_doubt(received, GetParam());
  }
}

// Somebody else writes into the proxy's socket.
TEST_P(RelayPromises, NoticesAByteTooMany) {
  for (const bool client_sends : {true, false}) {
    SCOPED_TRACE(client_sends);
    start();
    let_the_kernel_take_over();
    Peer& sender = client_sends ? client : backend;
    Peer& reader = client_sends ? backend : client;
    sender.send("question");
    EXPECT_EQ(reader.read(8), "question");

    ASSERT_EQ(::send(proxys_socket_to(reader).get(), "x", 1, MSG_NOSIGNAL), 1);

    sender.finish();
    ::shutdown(reader.socket(), SHUT_WR);  // unless the proxy has reset it already
    ++expected_mismatches;
    const auto received = reader.read_until_end();
    EXPECT_TRUE(eventually([&] { return proxy->counts().mismatches == expected_mismatches; }));
    EXPECT_EQ(received.bytes, "x");
    expect_end_in_doubt(received, GetParam());
  }
}

}  // namespace ambbpf::test
