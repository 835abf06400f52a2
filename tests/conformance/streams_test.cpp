// SPDX-License-Identifier: Apache-2.0
// Every byte arrives, once, in order and unchanged.
#include <random>
#include <thread>

#include "tests/conformance/relay_promises.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

// One question of each size and its answer, both ways through the proxy.
void play_ping_pong(Peer& client, Peer& backend, std::size_t rounds, std::size_t largest) {
  auto answering = in_background([&] { echo(backend); });
  std::minstd_rand random(7);
  std::uniform_int_distribution<std::size_t> any_size(1, largest);
  for (std::size_t round = 0; round < rounds; ++round) {
    const auto question = bytes_from_seed(round, any_size(random));
    client.send(question);
    ASSERT_TRUE(same(client.read(question.size()), question)) << "round " << round;
  }
  client.finish();
  EXPECT_EQ(client.read_all(), "");
  answering.get();
}

}  // namespace

TEST_P(RelayPromises, KeepsBytesAndOrderBothWaysAtOnce) {
  start();
  const auto upload = bytes_from_seed(1, 12 * kMiB);
  const auto download = bytes_from_seed(2, 9 * kMiB);
  auto uploading = in_background([&] { client.send(upload), client.finish(); });
  auto downloading = in_background([&] { backend.send(download), backend.finish(); });
  auto uploaded = in_background([&] { return backend.read_all(); });
  EXPECT_TRUE(same(client.read_all(), download));
  EXPECT_TRUE(same(uploaded.get(), upload));
  uploading.get();
  downloading.get();
}

TEST_P(RelayPromises, KeepsBytesAndOrderThroughSmallBuffers) {
  const Buffers small{.receive = 8 * kKiB, .send = 8 * kKiB};
  start(small, small);
  const auto upload = bytes_from_seed(3, 3 * kMiB);
  const auto download = bytes_from_seed(4, 2 * kMiB);
  auto uploading = in_background([&] { client.send(upload), client.finish(); });
  auto downloading = in_background([&] { backend.send(download), backend.finish(); });
  auto uploaded = in_background([&] { return backend.read_all(); });
  EXPECT_TRUE(same(client.read_all(), download));
  EXPECT_TRUE(same(uploaded.get(), upload));
  uploading.get();
  downloading.get();
}

TEST_P(RelayPromises, DeliversWhatTheClientSentBeforeTheBackendAccepted) {
  const auto early = bytes_from_seed(5, 200 * kKiB);
  client = connect();
  client.send("early");
  std::this_thread::sleep_for(50ms);
  auto sending = in_background([&] { client.send(early); });
  std::this_thread::sleep_for(50ms);
  backend = listener->accept();
  EXPECT_EQ(backend.read(5), "early");
  EXPECT_TRUE(same(backend.read(early.size()), early));
  sending.get();
  backend.send("late");
  EXPECT_EQ(client.read(4), "late");
}

TEST_P(RelayPromises, DeliversWhatTheBackendSaysFirst) {
  start();
  backend.send("220 ready");
  EXPECT_EQ(client.read(9), "220 ready");
  client.send("EHLO");
  EXPECT_EQ(backend.read(4), "EHLO");
}

TEST_P(RelayPromises, CarriesThousandsOfSingleBytesToAndFro) {
  start();
  play_ping_pong(client, backend, 2000, 1);
  expect_bytes_moved_by_the_kernel();
}

TEST_P(RelayPromises, CarriesMessagesOfAllSizesToAndFro) {
  start();
  let_the_kernel_take_over();
  play_ping_pong(client, backend, 500, 60 * kKiB);
  if (promotes_at_once()) expect_bytes_moved_by_the_kernel();
}

TEST_P(RelayPromises, CarriesBytesAfterALongSilence) {
  start();
  client.send("question");
  EXPECT_EQ(backend.read(8), "question");
  std::this_thread::sleep_for(700ms);  // by now any sockmap engine has it in the kernel
  backend.send("answer");
  EXPECT_EQ(client.read(6), "answer");
  client.send("thanks");
  EXPECT_EQ(backend.read(6), "thanks");
  expect_bytes_moved_by_the_kernel();
}

TEST_P(RelayPromises, DeliversAnUrgentByteInItsPlace) {
  start();
  let_the_kernel_take_over();
  const auto before = bytes_from_seed(6, 300 * kKiB);
  const auto after = bytes_from_seed(7, 300 * kKiB);
  const auto say_it = [&](Peer& sender) {
    sender.send(before);
    sender.send_urgent('!');
    sender.send(after);
    sender.send_urgent('?');
    sender.finish();
  };
  const auto expected = before + "!" + after + "?";
  auto asking = in_background([&] { say_it(client); });
  EXPECT_TRUE(same(backend.read_all(), expected));
  auto answering = in_background([&] { say_it(backend); });
  EXPECT_TRUE(same(client.read_all(), expected));
}

TEST_P(RelayPromises, DeliversUrgentBytesOneByOne) {
  start();
  for (int round = 0; round < 50; ++round) {
    client.send("calm");
    client.send_urgent('!');
    EXPECT_EQ(backend.read(5), "calm!") << "round " << round;
  }
  backend.send_urgent('!');
  EXPECT_EQ(client.read(1), "!");
}

// A read stops at an urgent byte, in the middle of a segment: no moment to enter the kernel path.
TEST_P(RelayPromises, DeliversUrgentBytesFromTheVeryBeginning) {
  for (int round = 0; round < 60; ++round) {
    client = connect();
    std::string expected;
    for (int word = 0; word < 10; ++word) {
      client.send("calm");
      client.send_urgent('!');
      expected += "calm!";
    }
    client.finish();
    backend = listener->accept();
    ASSERT_EQ(backend.read_all(), expected) << "round " << round;
  }
}

TEST_P(RelayPromises, DeliversAFloodThroughWhichItEntersTheKernelPath) {
  const auto flood = bytes_from_seed(8, 32 * kMiB);
  promote_at_age(30ms);
  for (const bool client_floods : {true, false}) {
    SCOPED_TRACE(client_floods);
    start();
    Peer& flooding = client_floods ? client : backend;
    Peer& chatting = client_floods ? backend : client;
    auto sending = in_background([&] { flooding.send(flood), flooding.finish(); });
    auto received = in_background([&] { return chatting.read_all(); });
    auto heard = in_background([&] { return flooding.read_all(); });
    for (int word = 0; word < 200; ++word) {
      chatting.send("chat");
      std::this_thread::sleep_for(1ms);
    }
    chatting.finish();
    EXPECT_EQ(heard.get().size(), 800U);
    EXPECT_TRUE(same(received.get(), flood));
    sending.get();
  }
}

struct Families {
  tcp::endpoint clients;
  tcp::endpoint backends;
};

TEST_P(RelayPromises, ConnectsAnyAddressFamilyWithAnyOther) {
  for (const auto& [clients, backends] :
       {Families{loopback_v6(), loopback_v6()}, Families{loopback_v4(), loopback_v6()},
        Families{loopback_v6(), loopback_v4()}}) {
    SCOPED_TRACE(clients.address().to_string() + " to " + backends.address().to_string());
    if (!serve_on(clients, backends)) GTEST_SKIP() << "no such loopback address here";
    start();
    let_the_kernel_take_over();
    play_ping_pong(client, backend, 50, 60 * kKiB);
    if (promotes_at_once()) expect_bytes_moved_by_the_kernel();
    client.close();
    backend.close();
    EXPECT_TRUE(proxy->becomes_idle());
  }
}

}  // namespace ambbpf::test
