// SPDX-License-Identifier: Apache-2.0
// Sockets that have a past when the relay adopts them: its books agree all the same, and its counts
// agree with what has arrived. Against the relay alone, with every engine.
#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <future>
#include <random>
#include <thread>

#include "tests/conformance/relay_promises.h"

namespace ambbpf::test {
namespace {

// What was done with the sockets before, in bytes.
struct Past {
  std::string_view name;
  std::size_t read_of_client = 0, written_to_client = 0;
  std::size_t read_of_backend = 0, written_to_backend = 0;
  std::size_t unread_of_client = 0, unread_of_backend = 0;  // still in the receive queues
  bool full_to_backend = false;                             // the send queue, as nobody reads
};

constexpr std::array kPasts{
    Past{.name = "none"},
    Past{.name = "header read", .read_of_client = 107},
    Past{.name = "header written", .written_to_backend = 28},
    Past{.name = "header read and written", .read_of_client = 107, .written_to_backend = 28},
    Past{.name = "header read, more behind it", .read_of_client = 107, .unread_of_client = 5000},
    Past{.name = "megabytes each way",
         .read_of_client = 3 * kMiB,
         .written_to_client = 2 * kMiB,
         .read_of_backend = 2 * kMiB + 1,
         .written_to_backend = 3 * kMiB - 1,
         .unread_of_client = 4321,
         .unread_of_backend = 1234},
    Past{.name = "a full send queue", .read_of_client = 107, .full_to_backend = true},
};

// Sends while the other side reads, as no socket has room for all of it.
void move(Peer& from, Peer& to, std::size_t size) {
  const auto bytes = bytes_from_seed(size, size);
  auto sending = in_background([&] { from.send(bytes); });
  EXPECT_TRUE(same(to.read(size), bytes));
  sending.get();
}

class AdoptedSockets : public ::testing::TestWithParam<EngineUnderTest> {
 protected:
  struct Line {
    Peer client, relays_client, relays_backend, backend;
    NewLeg client_leg, backend_leg;
  };

  void SetUp() override {
    auto made = Relay::create(io_, GetParam().relay);
    if (!made) GTEST_SKIP() << made.error().message();
    relay = std::move(*made);
    thread_ = std::thread([this] { io_.run(); });
  }
  void TearDown() override {
    if (relay) {
      EXPECT_TRUE(eventually([&] { return relay->counts().connections_now == 0; }));
      EXPECT_EQ(relay->counts().mismatches, 0U);
    }
    io_.stop();
    if (thread_.joinable()) thread_.join();
    relay.reset();
  }

  Line open() {
    Line line;
    line.client = Peer::connect_to(listener_.address());
    line.relays_client = listener_.accept();
    line.relays_backend = Peer::connect_to(listener_.address());
    line.backend = listener_.accept();
    return line;
  }

  static NewLeg leg(const Peer& peer, std::size_t read, std::size_t written) {
    EXPECT_EQ(::fcntl(peer.socket(), F_SETFL, O_RDWR | O_NONBLOCK), 0);
    return {.socket = UniqueFd(::fcntl(peer.socket(), F_DUPFD_CLOEXEC, 0)),
            .read_before = read,
            .written_before = written};
  }

  // Runs `work` on the relay's thread.
  template <class Work>
  auto on_its_thread(Work work) {
    std::packaged_task<std::invoke_result_t<Work>()> task(std::move(work));
    auto result = task.get_future();
    asio::post(io_, [&task] { task(); });
    return result.get();
  }

  ConnectionId adopt(Line& line, NewLeg client, NewLeg backend,
                     const ConnectionSettings& settings = {}, Relay::Finished finished = nullptr) {
    line.relays_client.close();
    line.relays_backend.close();
    return on_its_thread([&] {
      return relay->adopt(std::move(client), std::move(backend), settings, std::move(finished));
    });
  }
  ConnectionId adopt(Line& line, const ConnectionSettings& settings = {}) {
    return adopt(line, leg(line.relays_client, 0, 0), leg(line.relays_backend, 0, 0), settings);
  }

  void live(Line& line, const Past& past);

  std::unique_ptr<Relay> relay;
  std::atomic<std::uint64_t> ended_to_backend{0}, ended_to_client{0};

 private:
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> busy_{io_.get_executor()};
  Listener listener_{loopback_v4()};
  std::thread thread_;
};

INSTANTIATE_TEST_SUITE_P(EveryEngine, AdoptedSockets, ::testing::ValuesIn(every_engine()),
                         name_of_engine);

void AdoptedSockets::live(Line& line, const Past& past) {
  move(line.client, line.relays_client, past.read_of_client);
  move(line.relays_client, line.client, past.written_to_client);
  move(line.backend, line.relays_backend, past.read_of_backend);
  move(line.relays_backend, line.backend, past.written_to_backend);
}

TEST_P(AdoptedSockets, KeepTheBooksOfWhatCameBefore) {
  for (const bool client_ends_first : {true, false})
    for (const auto& past : kPasts) {
      SCOPED_TRACE(past.name);
      Line line = open();
      live(line, past);
      const auto unread_of_client = bytes_from_seed(1, past.unread_of_client);
      const auto unread_of_backend = bytes_from_seed(2, past.unread_of_backend);
      line.client.send(unread_of_client);
      line.backend.send(unread_of_backend);
      const auto unsent = past.full_to_backend ? bytes_from_seed(3, 16 * kMiB) : std::string();
      const auto queued = unsent.empty() ? 0 : line.relays_backend.send_until_stalled(unsent);
      ASSERT_EQ(queued > 0, past.full_to_backend);

      const auto before = relay->counts();
      adopt(line, leg(line.relays_client, past.read_of_client, past.written_to_client),
            leg(line.relays_backend, past.read_of_backend, past.written_to_backend + queued));
      EXPECT_TRUE(same(line.backend.read(queued), std::string_view(unsent).substr(0, queued)));
      EXPECT_TRUE(same(line.backend.read(unread_of_client.size()), unread_of_client));
      EXPECT_TRUE(same(line.client.read(unread_of_backend.size()), unread_of_backend));
      for (const std::size_t size : {std::size_t{1}, std::size_t{900}, kMiB}) {
        move(line.client, line.backend, size);
        move(line.backend, line.client, size);
      }
      if (GetParam().name == "sockmap_at_once") {
        EXPECT_TRUE(eventually([&] { return relay->counts().directions_in_kernel_now == 2; }));
        move(line.client, line.backend, 900);
        move(line.backend, line.client, 900);
        EXPECT_GT(relay->counts().to_backend.kernel_bytes, before.to_backend.kernel_bytes);
        EXPECT_GT(relay->counts().to_client.kernel_bytes, before.to_client.kernel_bytes);
      }
      Peer& first = client_ends_first ? line.client : line.backend;
      Peer& last = client_ends_first ? line.backend : line.client;
      first.finish();
      EXPECT_EQ(last.read_all(), "");
      move(last, first, 70'000);
      last.finish();
      EXPECT_EQ(first.read_all(), "");
      EXPECT_TRUE(eventually([&] { return relay->counts().connections_now == 0; }));
      EXPECT_EQ(relay->counts().resets, 0U);
      EXPECT_EQ(relay->counts().mismatches, 0U);
    }
}

TEST_P(AdoptedSockets, EndWithTheirFinInTheQueue) {
  Line line = open();
  move(line.client, line.relays_client, 107);
  line.client.send_and_finish("all of it");
  adopt(line, leg(line.relays_client, 107, 0), leg(line.relays_backend, 0, 0));
  EXPECT_EQ(line.backend.read_all(), "all of it");
  line.backend.send_and_finish("and the answer");
  EXPECT_EQ(line.client.read_all(), "and the answer");
}

TEST_P(AdoptedSockets, EndOneByOneOrAsAGroup) {
  std::vector<Line> lines;
  std::vector<ConnectionId> ids;
  for (std::uint64_t number = 0; number < 6; ++number) {
    lines.push_back(open());
    ids.push_back(adopt(lines.back(), {.keepalive = {}, .group = number % 2}));
  }
  EXPECT_TRUE(on_its_thread([&] { return relay->end(ids[0], EndReason::kStopped); }));
  EXPECT_FALSE(on_its_thread([&] { return relay->end(ids[0], EndReason::kStopped); }));
  EXPECT_FALSE(on_its_thread([&] { return relay->end(0, EndReason::kStopped); }));
  EXPECT_EQ(on_its_thread([&] { return relay->end_group(1, EndReason::kStopped); }), 3U);
  for (const std::size_t ended : {0, 1, 3, 5}) {
    EXPECT_EQ(lines[ended].client.read_until_end().error, std::errc::connection_reset);
    EXPECT_EQ(lines[ended].backend.read_until_end().error, std::errc::connection_reset);
  }
  EXPECT_EQ(relay->counts().connections_now, 2U);
  for (const std::size_t left : {2, 4}) {
    move(lines[left].client, lines[left].backend, 1000);
    lines[left].client.close();
    EXPECT_EQ(lines[left].backend.read_all(), "");
    lines[left].backend.close();
  }
  EXPECT_EQ(relay->counts().resets, 4U);
}

// While bytes move, ends pass and connections come and go, the totals are what has arrived.
TEST_P(AdoptedSockets, AreCountedAsItHappens) {
  std::mt19937 random(7);
  std::vector<Line> lines;
  std::uint64_t to_backend = 0, to_client = 0;
  for (int step = 0; step < 400; ++step) {
    SCOPED_TRACE(step);
    const auto chance = random() % 100;
    if (lines.empty() || (chance < 15 && lines.size() < 20)) {
      lines.push_back(open());
      Line& line = lines.back();
      adopt(line, leg(line.relays_client, 0, 0), leg(line.relays_backend, 0, 0), {},
            [&](const ConnectionEnd& end) {
              ended_to_backend += end.bytes_to_backend;
              ended_to_client += end.bytes_to_client;
            });
    } else {
      const auto which = random() % lines.size();
      Line& line = lines[which];
      const std::size_t size = 1 + random() % 40'000;
      if (chance < 90) {
        move(line.client, line.backend, size);
        move(line.backend, line.client, size / 2 + 1);
        to_backend += size;
        to_client += size / 2 + 1;
      } else {
        line.client.finish();
        EXPECT_EQ(line.backend.read_all(), "");
        line.backend.finish();
        EXPECT_EQ(line.client.read_all(), "");
        lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(which));
      }
    }
    // A thread counts a moment after it has moved.
    ASSERT_TRUE(eventually([&] {
      const auto now = relay->counts();
      return now.connections_now == lines.size() &&
             now.directions_in_kernel_now + now.directions_in_user_now == 2 * lines.size() &&
             now.to_backend.kernel_bytes + now.to_backend.user_bytes == to_backend &&
             now.to_client.kernel_bytes + now.to_client.user_bytes == to_client;
    }));
  }
  lines.clear();
  EXPECT_TRUE(eventually([&] { return relay->counts().connections_now == 0; }));
  const auto now = on_its_thread([&] { return relay->counts(); });
  EXPECT_EQ(now.in_map_now + now.directions_in_kernel_now + now.directions_in_user_now, 0U);
  EXPECT_EQ(ended_to_backend, to_backend);
  EXPECT_EQ(ended_to_client, to_client);
}

}  // namespace
}  // namespace ambbpf::test
