// SPDX-License-Identifier: Apache-2.0
// Who gets how many connections, of the built program.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "tests/integration/program_reload.h"
#include "tests/support/must.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class ProgramBalance : public RunByFile {
 protected:
  // One service, `web`; `endpoints` as they stand in a list.
  std::string web(const std::string& endpoints, const std::string& more = "") const {
    return fmt::format("[service.web]\nlisten = \"{}\"\nendpoints = [{}]\n{}\n", to_string(front),
                       endpoints, more);
  }
  static std::string with(const tcp::endpoint& address, const std::string& attributes) {
    return fmt::format("{{address = \"{}\", {}}}", to_string(address), attributes);
  }
  static std::string with(const NamedBackend& backend, const std::string& attributes) {
    return with(backend.listener().address(), attributes);
  }
  std::unique_ptr<Program> started(const std::string& text) const {
    write(text);
    auto program = std::make_unique<Program>(by_file());
    EXPECT_TRUE(program->says("admin socket")) << program->err();
    return program;
  }

  const tcp::endpoint front = free_address();
};

TEST_F(ProgramBalance, WeightsCountForEachOfManyConnections) {
  constexpr int kConnections = 7'000;
  NamedBackend one("one");
  NamedBackend two("two");
  NamedBackend three("three");
  const auto program =
      started("threads = 2\n" + web(with(one, "weight = 5") + ", " + with(two, "weight = 1") +
                                    ", " + with(three, "weight = 1")));
  for (int i = 0; i < kConnections; ++i) ask(front);
  std::vector<double> total;
  for (const auto& endpoint : status_of("web").endpoints)
    total.push_back(static_cast<double>(endpoint.connections_total));
  fmt::print("measured, the program at 5:1:1: {}:{}:{} of {} connections\n", total[0], total[1],
             total[2], kConnections);
  EXPECT_NEAR(total[0], 5'000, 50);
  EXPECT_NEAR(total[1], 1'000, 10);
  EXPECT_NEAR(total[2], 1'000, 10);
  EXPECT_THAT(run({"status", "--admin", admin()}).out, HasSubstr("(weight 5)"));
}

// Serves each connection in a thread, after `pause`; knows how many it had at once.
class Server {
 public:
  explicit Server(std::chrono::milliseconds pause) : pause_(pause) {
    accepting_ = std::thread([this] { accept_all(); });
  }
  ~Server() {
    stopping_ = true;
    { Peer last = Peer::connect_to(listener_.address()); }
    accepting_.join();
    for (auto& thread : serving_) thread.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const tcp::endpoint& address() const { return listener_.address(); }
  int most() const { return most_; }

 private:
  void accept_all() {
    for (;;) {
      auto peer = std::make_shared<Peer>(listener_.accept());
      if (stopping_) return;
      const int now = ++open_;
      most_ = std::max(most_.load(), now);
      serving_.emplace_back([this, peer] {
        std::this_thread::sleep_for(pause_);
        peer->send_and_finish("answer");
        peer->read_until_end();
        --open_;
      });
    }
  }

  const std::chrono::milliseconds pause_;
  Listener listener_{loopback_v4()};
  std::atomic<bool> stopping_{false};
  std::atomic<int> open_{0};
  std::atomic<int> most_{0};
  std::vector<std::thread> serving_;
  std::thread accepting_;
};

// How long each of many requests took, of clients that each ask again when they have the answer.
std::vector<double> milliseconds_of(const tcp::endpoint& front, int clients, int requests) {
  std::vector<double> took;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int i = 0; i < clients; ++i)
    threads.emplace_back([&] {
      for (int request = 0; request < requests; ++request) {
        const auto begun = std::chrono::steady_clock::now();
        Peer peer = Peer::connect_to(front);
        peer.read_all();
        peer.finish();
        const std::chrono::duration<double, std::milli> each =
            std::chrono::steady_clock::now() - begun;
        const std::scoped_lock lock(mutex);
        took.push_back(each.count());
      }
    });
  for (auto& thread : threads) thread.join();
  std::ranges::sort(took);
  return took;
}

double percentile_99(const std::vector<double>& sorted) { return sorted[sorted.size() * 99 / 100]; }

TEST_F(ProgramBalance, ConnectionsDoNotPileUpAtTheSlowOne) {
  constexpr int kClients = 12;
  constexpr int kRequests = 40;  // of each
  for (const std::string policy : {"round_robin", "least_connections", "random_two"}) {
    Server slow(200ms);
    Server one(5ms);
    Server other(5ms);
    const auto both =
        fmt::format("\"{}\", \"{}\"", to_string(one.address()), to_string(other.address()));
    const auto setting = "policy = \"" + policy + "\"\n";
    const auto program = started(web(both, setting));
    const auto alone = percentile_99(milliseconds_of(front, kClients, kRequests));
    ASSERT_EQ(reload(web(fmt::format("\"{}\", {}", to_string(slow.address()), both), setting)).code,
              0);
    const auto with_slow = percentile_99(milliseconds_of(front, kClients, kRequests));
    const auto taken = status_of("web").endpoints.at(0).connections_total;
    fmt::print(
        "measured, {}, {} clients, one of three takes 200 ms: it had {} of {} connections, {} at "
        "once; p99 {:.0f} ms, {:.0f} ms of the two others alone\n",
        policy, kClients, taken, kClients * kRequests, slow.most(), with_slow, alone);
    if (policy == "round_robin") continue;  // for comparison
    // Four each, and what the proxy still counts of those who ask again.
    EXPECT_LE(slow.most(), kClients * 2 / 3) << policy;
    EXPECT_LT(taken, static_cast<std::uint64_t>(kClients * kRequests / 6)) << policy;
  }
}

// From one of the loopback addresses, as from a host of its own.
std::string ask_from(std::uint32_t number, const tcp::endpoint& front) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const tcp::endpoint own(asio::ip::address_v4(0x7F03'0000U + number), 0);
  must(::bind(socket.get(), own.data(), static_cast<socklen_t>(own.size())) == 0, "bind");
  must(::connect(socket.get(), front.data(), static_cast<socklen_t>(front.size())) == 0, "connect");
  Peer client(std::move(socket));
  client.send("?");
  auto answer = client.read_all();
  client.finish();
  return answer;
}

TEST_F(ProgramBalance, AClientFindsItsServerAgainAlsoAfterARestart) {
  constexpr std::uint32_t kHosts = 60;
  NamedBackend one("one");
  NamedBackend two("two");
  NamedBackend three("three");
  const auto answers = [&] {
    std::vector<std::string> all;
    for (std::uint32_t i = 1; i <= kHosts; ++i) all.push_back(ask_from(i, front));
    return all;
  };
  std::vector<std::string> before;
  for (const auto* const order : {"{0}, {1}, {2}", "{2}, {0}, {1}"}) {
    const auto endpoints = fmt::format(fmt::runtime(order), with(one, "weight = 1"),
                                       with(two, "weight = 1"), with(three, "weight = 1"));
    const auto program = started("threads = 3\n" + web(endpoints, "policy = \"source\""));
    const auto now = answers();
    EXPECT_EQ(answers(), now) << "by another thread, maybe";
    if (before.empty()) before = now;
    EXPECT_EQ(now, before) << "in another order, after a restart";
  }
  for (const auto* const name : {"one", "two", "three"})
    EXPECT_GT(std::ranges::count(before, name), 5) << name;
}

TEST_F(ProgramBalance, ABackupServesWhileTheOthersAreAway) {
  const auto primary = free_address();
  auto second = std::make_unique<NamedBackend>("second");
  NamedBackend backup("backup");
  const auto program =
      started(web(with(backup, "backup = true") + ", " + with(*second, "priority = 1") + ", " +
                  with(primary, "zone = \"nyc\"")));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(front), "second");
  second.reset();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(front), "backup");
  NamedBackend started_last("primary", primary);
  EXPECT_TRUE(eventually([&] { return ask(front) == "primary"; }));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(front), "primary");
  const auto text = run({"status", "--admin", admin()}).out;
  for (const auto* const words : {"(backup)", "(priority 1)", "(zone nyc)"})
    EXPECT_THAT(text, HasSubstr(words));
}

TEST_F(ProgramBalance, EveryPolicyTakesOverUnderLoadWithoutAFailure) {
  constexpr int kClients = 4;
  NamedBackend one("one");
  NamedBackend two("two");
  NamedBackend three("three");
  const auto by = [&](const std::string& policy, const std::string& more) {
    return "threads = 2\n" + web(with(one, "weight = 3") + ", " + with(two, "zone = \"nyc\"") +
                                     ", " + with(three, "weight = 1"),
                                 "policy = \"" + policy + "\"\n" + more);
  };
  const auto program = started(by("first", ""));
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::atomic<int> failed = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i)
    clients.emplace_back([&] {
      while (!stop) try {
          ask(front);
          ++answered;
        } catch (const std::system_error&) {
          ++failed;
        }
    });
  for (int round = 0; round < 8; ++round)
    for (const auto* const policy :
         {"round_robin", "least_connections", "random_two", "source", "first"}) {
      const int before = answered;
      const bool zoned = round % 2 == 1;
      EXPECT_EQ(reload(by(policy, zoned ? "zone = \"nyc\"\n" : "")).code, 0);
      EXPECT_EQ(status_of("web").policy, policy);
      for (int i = 0; zoned && i < 3; ++i) EXPECT_EQ(ask(front), "two");
      EXPECT_TRUE(eventually([&] { return answered > before + 5; }));
    }
  stop = true;
  for (auto& client : clients) client.join();
  EXPECT_EQ(failed, 0) << "of " << answered;
  EXPECT_EQ(status_of("web").failed, 0U);
  for (const auto& endpoint : status_of("web").endpoints) EXPECT_GT(endpoint.connections_total, 0U);
}

}  // namespace
}  // namespace ambbpf::test
