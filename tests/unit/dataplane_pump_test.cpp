// SPDX-License-Identifier: Apache-2.0
// One direction in user space, between two real TCP connections: splice(2) needs them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <filesystem>
#include <iterator>

#include "tests/support/peers.h"
#include "userspace/dataplane/pump.h"

namespace ambbpf {
namespace {

using test::in_background;
using test::kKiB;
using test::kMiB;
using test::Peer;
using test::same;
using Outcome = Pump::Outcome;
using Until = Pump::Until;

constexpr std::size_t kTurn = kMiB;  // what one run moves at most, but for its last read

std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

void set_option(int socket, int name, int value) {
  ASSERT_EQ(::setsockopt(socket, SOL_SOCKET, name, &value, sizeof value), 0);
}

// Whether it comes to be so within the time that any wait is given.
bool becomes(int socket, short events) {
  pollfd wanted{.fd = socket, .events = events, .revents = 0};
  const auto limit = std::chrono::milliseconds(test::kTimeout).count();
  return ::poll(&wanted, 1, static_cast<int>(limit)) == 1;
}

// writer -> source, pump, target -> reader
class PumpTest : public testing::TestWithParam<Pump::Method> {
 protected:
  void SetUp() override { connect(); }

  // `holds`: what the source and the target are to have room for, beyond what the kernel allows
  // without CAP_NET_ADMIN; 0 leaves it to the kernel.
  void connect(int holds = 0) {
    test::Listener listener(test::loopback_v4());
    if (holds > 0) set_option(listener.socket(), SO_RCVBUFFORCE, 2 * holds);
    if (holds > 0) set_option(listener.socket(), SO_SNDBUFFORCE, 2 * holds);
    writer = Peer::connect_to(listener.address());
    source = listener.accept();
    reader = Peer::connect_to(listener.address());
    target = listener.accept();
    for (const int socket : {source.socket(), target.socket()})
      ASSERT_EQ(::fcntl(socket, F_SETFL, O_NONBLOCK), 0);
    set_option(source.socket(), SO_OOBINLINE, 1);
  }

  Outcome run(Until until = Until::kEmpty) {
    return pump.run(source.socket(), target.socket(), tools, until);
  }
  // As a relay does: goes on whenever it can.
  Outcome run_to_the_end() {
    for (;;) {
      const auto outcome = run();
      if (outcome == Outcome::kDrained && becomes(source.socket(), POLLIN)) continue;
      if (outcome == Outcome::kBlocked && becomes(target.socket(), POLLOUT)) continue;
      if (outcome != Outcome::kUnfinished) return outcome;
    }
  }
  Outcome drain() { return pump.drain(source.socket(), 0, tools); }
  bool source_has(std::size_t size) {
    return test::eventually([&] {
      int waiting = 0;
      ::ioctl(source.socket(), FIONREAD, &waiting);
      return static_cast<std::size_t>(waiting) == size;
    });
  }
  // So that the next read is a splice where the method allows it.
  void move_in_bulk() {
    const auto bytes = test::bytes_from_seed(99, 64 * kKiB);
    writer.send(bytes);
    ASSERT_TRUE(source_has(bytes.size()));
    ASSERT_EQ(run(), Outcome::kDrained);
    ASSERT_TRUE(pump.reads_in_bulk());
    ASSERT_TRUE(same(reader.read(bytes.size()), bytes));
  }

  Peer writer, source, target, reader;
  PumpTools tools;
  Pump pump{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Each, PumpTest,
                         testing::Values(Pump::Method::kCopy, Pump::Method::kSplice),
                         [](const auto& method) {
                           return method.param == Pump::Method::kCopy ? "copy" : "splice";
                         });

TEST_P(PumpTest, MovesAllBytesInTheirOrder) {
  const auto bytes = test::bytes_from_seed(1, 16 * kMiB);
  auto writing = in_background([&] { writer.send(bytes), writer.finish(); });
  auto reading = in_background([&] { return reader.read(bytes.size()); });
  EXPECT_EQ(run_to_the_end(), Outcome::kSourceEnded);
  EXPECT_TRUE(same(reading.get(), bytes));
  EXPECT_EQ(pump.read(), bytes.size());
  EXPECT_EQ(pump.written(), bytes.size());
}

TEST_P(PumpTest, MovesSmallMessagesAsTheyCome) {
  for (const std::string message : {"one", "two", "three"}) {
    writer.send(message);
    ASSERT_TRUE(becomes(source.socket(), POLLIN));
    EXPECT_EQ(run(Until::kShortRead), Outcome::kDrained);
    EXPECT_EQ(reader.read(message.size()), message);
    EXPECT_FALSE(pump.reads_in_bulk());
  }
}

TEST_P(PumpTest, AStreamOfLargeReadsHasASmallOneNowAndThen) {
  const auto move_small = [this] {
    writer.send("small");
    ASSERT_TRUE(becomes(source.socket(), POLLIN));
    ASSERT_EQ(run(Until::kShortRead), Outcome::kDrained);
    ASSERT_EQ(reader.read(5), "small");
  };
  move_in_bulk();
  move_small();
  EXPECT_TRUE(pump.reads_in_bulk());
  EXPECT_FALSE(pump.would_splice());
  constexpr int kUntilForgotten = 4;  // of 64 KiB a quarter less each time: below 20 KiB
  for (int i = 0; i < kUntilForgotten; ++i) move_small();
  EXPECT_FALSE(pump.reads_in_bulk());
}

TEST_P(PumpTest, KeepsWhatABlockedTargetDoesNotTakeAndReadsNoMore) {
  const auto bytes = test::bytes_from_seed(2, 64 * kMiB);
  auto writing = in_background([&] { writer.send(bytes), writer.finish(); });
  // Not at the first refusal: what is under way to the reader makes room once more.
  ASSERT_TRUE(test::eventually([&] {
    const auto read_before = pump.read();
    return run() == Outcome::kBlocked && run() == Outcome::kBlocked && pump.read() == read_before;
  }));
  EXPECT_TRUE(pump.has_buffered_bytes());
  EXPECT_LT(pump.written(), pump.read());
  EXPECT_LT(pump.read(), bytes.size());
  EXPECT_TRUE(becomes(source.socket(), POLLIN));

  auto reading = in_background([&] { return reader.read(bytes.size()); });
  EXPECT_EQ(run_to_the_end(), Outcome::kSourceEnded);
  EXPECT_TRUE(same(reading.get(), bytes));
  EXPECT_FALSE(pump.has_buffered_bytes());
}

TEST_P(PumpTest, LetsOthersHaveTheirTurnAfterAMebibyte) {
  constexpr std::size_t kSize = 3 * kMiB;
  connect(8 * kMiB);
  const auto bytes = test::bytes_from_seed(3, kSize);
  writer.send(bytes);
  ASSERT_TRUE(source_has(kSize));
  ASSERT_EQ(run(), Outcome::kUnfinished);
  EXPECT_GE(pump.read(), kTurn);
  EXPECT_LT(pump.read(), kSize);
  auto reading = in_background([&] { return reader.read(kSize); });
  writer.finish();
  EXPECT_EQ(run_to_the_end(), Outcome::kSourceEnded);
  EXPECT_TRUE(same(reading.get(), bytes));
}

TEST_P(PumpTest, TellsTheEndOfItsSourceAfterTheLastByte) {
  move_in_bulk();
  writer.send_and_finish("the last words");
  EXPECT_EQ(run_to_the_end(), Outcome::kSourceEnded);
  EXPECT_EQ(reader.read(14), "the last words");
  EXPECT_FALSE(pump.error());
}

TEST_P(PumpTest, TellsWhyItsSourceFailed) {
  move_in_bulk();
  writer.reset();
  ASSERT_TRUE(becomes(source.socket(), POLLIN));
  EXPECT_EQ(run(), Outcome::kSourceFailed);
  EXPECT_EQ(pump.error(), std::errc::connection_reset);
}

TEST_P(PumpTest, TellsWhyItsTargetFailed) {
  move_in_bulk();
  reader.reset();
  ASSERT_TRUE(becomes(target.socket(), POLLIN));
  writer.send("nobody will read this");
  ASSERT_TRUE(becomes(source.socket(), POLLIN));
  EXPECT_EQ(run(), Outcome::kTargetFailed);
  EXPECT_EQ(pump.error(), std::errc::connection_reset);
}

TEST_P(PumpTest, GoesOnBehindAnUrgentByte) {
  move_in_bulk();
  const auto bytes = test::bytes_from_seed(4, 256 * kKiB);
  auto writing = in_background([&] {
    writer.send(bytes);
    writer.send_urgent('!');
    writer.send_and_finish(bytes);
  });
  auto reading = in_background([&] { return reader.read(2 * bytes.size() + 1); });
  pump.stop_splicing();
  EXPECT_EQ(run_to_the_end(), Outcome::kSourceEnded);
  EXPECT_TRUE(same(reading.get(), bytes + '!' + bytes));
}

TEST_P(PumpTest, GivesItsPipeBackWhenNothingIsLeftInIt) {
  const auto before = open_descriptors();
  move_in_bulk();
  const auto pipes = open_descriptors() - before;
  if (GetParam() == Pump::Method::kCopy) {
    EXPECT_EQ(pipes, 0);
  } else {
    EXPECT_EQ(pipes, 2);  // both ends of one
    const auto other = tools.take_pipe();
    EXPECT_EQ(open_descriptors() - before, 2);  // the same
  }
}

TEST_P(PumpTest, DrainsItsSourceIntoMemoryAndWritesItLater) {
  const auto bytes = test::bytes_from_seed(5, 300 * kKiB);
  connect(kMiB);
  writer.send(bytes);
  ASSERT_TRUE(source_has(bytes.size()));
  EXPECT_EQ(drain(), Outcome::kDrained);
  EXPECT_EQ(pump.read(), bytes.size());
  EXPECT_EQ(pump.written(), 0U);
  EXPECT_EQ(drain(), Outcome::kDrained);  // nothing has come since
  EXPECT_EQ(run(), Outcome::kDrained);
  EXPECT_TRUE(same(reader.read(bytes.size()), bytes));
}

TEST_P(PumpTest, DrainsPastAnUrgentByte) {
  writer.send("before");
  writer.send_urgent('!');
  writer.send("after");
  ASSERT_TRUE(test::eventually([&] { return drain() == Outcome::kDrained && pump.read() == 12; }));
  EXPECT_EQ(run(), Outcome::kDrained);
  EXPECT_EQ(reader.read(12), "before!after");
}

TEST_P(PumpTest, DrainsNothingOfWhatIsTooMuchToBeKept) {
  connect(8 * kMiB);
  const auto bytes = test::bytes_from_seed(6, PumpTools::kMostBuffered + 1);
  writer.send(bytes);
  ASSERT_TRUE(source_has(bytes.size()));
  EXPECT_EQ(drain(), Outcome::kUnfinished);
  EXPECT_EQ(pump.read(), 0U);
  EXPECT_FALSE(pump.has_buffered_bytes());
}

TEST_P(PumpTest, DrainsASourceThatHasOnlyEnded) {
  writer.finish();
  ASSERT_TRUE(becomes(source.socket(), POLLIN));
  EXPECT_EQ(drain(), Outcome::kDrained);
  EXPECT_EQ(run(), Outcome::kSourceEnded);
}

TEST_P(PumpTest, DrainsWhatCameBeforeAReset) {
  writer.send("the last words");
  ASSERT_TRUE(source_has(14));
  writer.reset();
  ASSERT_TRUE(becomes(source.socket(), POLLHUP));
  EXPECT_EQ(drain(), Outcome::kDrained);
  EXPECT_EQ(run(), Outcome::kSourceFailed);
  EXPECT_EQ(pump.error(), std::errc::connection_reset);
  EXPECT_EQ(reader.read(14), "the last words");
}

}  // namespace
}  // namespace ambbpf
