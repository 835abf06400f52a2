// SPDX-License-Identifier: Apache-2.0
// An end of stream arrives after the last byte, ends one direction only, and is never lost.
#include <thread>

#include "tests/conformance/relay_promises.h"

namespace ambbpf::test {

using namespace std::chrono_literals;

TEST_P(RelayPromises, DeliversReplyLongAfterClientHalfCloses) {
  start();
  let_the_kernel_take_over();
  client.send("question");
  client.finish();
  EXPECT_EQ(backend.read_all(), "question");
  std::this_thread::sleep_for(300ms);  // a quiet backend is not a finished one
  const auto reply = bytes_from_seed(1, 2 * kMiB);
  auto replying = in_background([&] { backend.send(reply), backend.finish(); });
  EXPECT_TRUE(same(client.read_all(), reply));
  replying.get();
}

TEST_P(RelayPromises, DeliversWhatTheClientSendsAfterTheBackendHalfClosed) {
  start();
  let_the_kernel_take_over();
  backend.send("that is all I have to say");
  backend.finish();
  EXPECT_EQ(client.read_all(), "that is all I have to say");
  std::this_thread::sleep_for(100ms);
  const auto upload = bytes_from_seed(2, 2 * kMiB);
  auto uploading = in_background([&] { client.send(upload), client.finish(); });
  EXPECT_TRUE(same(backend.read_all(), upload));
  uploading.get();
}

TEST_P(RelayPromises, DeliversAnEndThatComesInTheSegmentOfTheLastByte) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{1460}, 64 * kKiB, kMiB})
    for (const bool taken_over : {false, true}) {
      SCOPED_TRACE(size);
      const auto bytes = bytes_from_seed(size, size);
      start();
      if (taken_over) let_the_kernel_take_over();
      auto asking = in_background([&] { client.send_and_finish(bytes); });
      EXPECT_TRUE(same(backend.read_all(), bytes));
      auto answering = in_background([&] { backend.send_and_finish(bytes); });
      EXPECT_TRUE(same(client.read_all(), bytes));
      asking.get();
      answering.get();
      ASSERT_TRUE(proxy->becomes_idle());
    }
}

TEST_P(RelayPromises, EndsAnEmptyConnectionFromEitherSide) {
  for (const bool taken_over : {false, true}) {
    start();
    if (taken_over) let_the_kernel_take_over();
    client.finish();
    EXPECT_EQ(backend.read_all(), "");
    backend.close();
    EXPECT_EQ(client.read_all(), "");
    ASSERT_TRUE(proxy->becomes_idle());

    start();
    if (taken_over) let_the_kernel_take_over();
    backend.finish();
    EXPECT_EQ(client.read_all(), "");
    client.close();
    EXPECT_EQ(backend.read_all(), "");
    ASSERT_TRUE(proxy->becomes_idle());
  }
}

TEST_P(RelayPromises, SurvivesBothSidesEndingAtTheSameMoment) {
  for (std::size_t round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    const auto upload = bytes_from_seed(round, round % 4 * 700);
    const auto download = bytes_from_seed(~round, round % 5 * 900);
    start();
    if (round % 2 == 0) let_the_kernel_take_over();
    auto uploading = in_background([&] { client.send_and_finish(upload); });
    backend.send_and_finish(download);
    EXPECT_TRUE(same(client.read_all(), download));
    EXPECT_TRUE(same(backend.read_all(), upload));
    uploading.get();
    client.close();
    backend.close();
    ASSERT_TRUE(proxy->becomes_idle());
  }
}

TEST_P(RelayPromises, DeliversWhatIsUnderWayWhenEitherSideHalfCloses) {
  const auto shorter = bytes_from_seed(3, kMiB);
  const auto longer = bytes_from_seed(4, 8 * kMiB);
  for (const bool client_first : {true, false}) {
    SCOPED_TRACE(client_first);
    start();
    let_the_kernel_take_over();
    const auto& upload = client_first ? shorter : longer;
    const auto& download = client_first ? longer : shorter;
    auto uploading = in_background([&] { client.send(upload), client.finish(); });
    auto downloading = in_background([&] { backend.send(download), backend.finish(); });
    std::this_thread::sleep_for(50ms);  // both are stuck in the middle now, as nobody reads
    auto uploaded = in_background([&] { return backend.read_all(); });
    EXPECT_TRUE(same(client.read_all(), download));
    EXPECT_TRUE(same(uploaded.get(), upload));
    uploading.get();
    downloading.get();
    ASSERT_TRUE(proxy->becomes_idle());
  }
}

TEST_P(RelayPromises, DeliversAnAnswerWhoseSenderClosesAtOnce) {
  const auto answer = bytes_from_seed(5, 300 * kKiB);
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    start();
    if (round % 2 == 0) let_the_kernel_take_over();
    client.send("question");
    EXPECT_EQ(backend.read(8), "question");
    auto answering = in_background([&] { backend.send(answer), backend.close(); });
    EXPECT_TRUE(same(client.read_all(), answer));
    answering.get();
    client.close();
  }
}

}  // namespace ambbpf::test
