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

// Answers each of up to 16 connections at a time after `pause`; knows how many it had at once.
class Server {
 public:
  explicit Server(std::chrono::milliseconds pause, std::string answer = "answer")
      : pause_(pause), answer_(std::move(answer)) {
    constexpr int kAtOnce = 16;
    for (int i = 0; i < kAtOnce; ++i) serving_.emplace_back([this] { serve(); });
  }
  ~Server() {
    stopping_ = true;
    for (std::size_t i = 0; i < serving_.size(); ++i) Peer::connect_to(listener_.address());
    for (auto& thread : serving_) thread.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const tcp::endpoint& address() const { return listener_.address(); }
  int most() const { return most_; }

 private:
  void serve() {
    while (!stopping_) try {
        answer(listener_.accept());
      } catch (const std::system_error&) {
        // Nobody came for a long time.
      }
  }
  void answer(Peer peer) {
    if (stopping_) return;
    const int now = ++open_;
    for (int most = most_; most < now && !most_.compare_exchange_weak(most, now);) continue;
    std::this_thread::sleep_for(pause_);
    peer.send_and_finish(answer_);
    peer.read_until_end();
    --open_;
  }

  const std::chrono::milliseconds pause_;
  const std::string answer_;
  Listener listener_{loopback_v4()};
  std::atomic<bool> stopping_{false};
  std::atomic<int> open_{0};
  std::atomic<int> most_{0};
  std::vector<std::thread> serving_;
};

struct Answered {
  double milliseconds;  // until the answer was there
  std::string answer;
};

// So many requests, the quickest first, of clients that each ask again when they have the answer.
std::vector<Answered> answers_of(const tcp::endpoint& front, int clients, int requests) {
  std::vector<Answered> all;
  std::mutex mutex;
  std::atomic<int> left = requests;
  std::vector<std::thread> threads;
  for (int i = 0; i < clients; ++i)
    threads.emplace_back([&] {
      while (left-- > 0) {
        const auto begun = std::chrono::steady_clock::now();
        Peer peer = Peer::connect_to(front);
        auto answer = peer.read_all();
        peer.finish();
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - begun;
        const std::scoped_lock lock(mutex);
        all.push_back({took.count(), std::move(answer)});
      }
    });
  for (auto& thread : threads) thread.join();
  std::ranges::sort(all, {}, &Answered::milliseconds);
  return all;
}

double percentile_99(const std::vector<Answered>& sorted) {
  return sorted[sorted.size() * 99 / 100].milliseconds;
}

TEST_F(ProgramBalance, ConnectionsDoNotPileUpAtTheSlowOne) {
  constexpr int kClients = 12;
  constexpr int kRequests = 480;
  for (const std::string policy : {"round_robin", "least_connections", "random_two"}) {
    Server slow(200ms);
    Server one(5ms);
    Server other(5ms);
    const auto both =
        fmt::format("\"{}\", \"{}\"", to_string(one.address()), to_string(other.address()));
    const auto setting = "policy = \"" + policy + "\"\n";
    const auto program = started(web(both, setting));
    const auto alone = percentile_99(answers_of(front, kClients, kRequests));
    ASSERT_EQ(reload(web(fmt::format("\"{}\", {}", to_string(slow.address()), both), setting)).code,
              0);
    const auto with_slow = percentile_99(answers_of(front, kClients, kRequests));
    const auto taken = status_of("web").endpoints.at(0).connections_total;
    fmt::print(
        "measured, {}, {} clients, one of three takes 200 ms: it had {} of {} connections, {} at "
        "once; p99 {:.0f} ms, {:.0f} ms of the two others alone\n",
        policy, kClients, taken, kRequests, slow.most(), with_slow, alone);
    if (policy == "round_robin") continue;  // for comparison
    // Four each, and what the proxy still counts of those who ask again.
    EXPECT_LE(slow.most(), kClients * 2 / 3) << policy;
    EXPECT_LT(taken, static_cast<std::uint64_t>(kRequests / 6)) << policy;
  }
}

// Of `all`, those that `name` has answered: how many, and how long they took on average.
std::pair<double, double> answered_by(const std::string& name, const std::vector<Answered>& all) {
  double count = 0;
  double sum = 0;
  for (const auto& one : all) {
    if (one.answer != name) continue;
    ++count;
    sum += one.milliseconds;
  }
  return {count, count == 0 ? 0 : sum / count};
}

// Each has as many open, n: the slow one answers n in s, each of the two others n in t, so that it
// has t / (2 s + t) of all. While that is under 1 %, the 99th percentile is that of the others.
TEST_F(ProgramBalance, AStuckOneHasWhatLeastConnectionsGiveItByArithmetic) {
  constexpr int kClients = 12;
  constexpr int kRequests = 3'600;
  Server stuck(1s, "stuck");
  Server one(5ms, "quick");
  Server other(5ms, "quick");
  const auto both =
      fmt::format("\"{}\", \"{}\"", to_string(one.address()), to_string(other.address()));
  const std::string setting = "policy = \"least_connections\"\n";
  const auto program = started(web(both, setting));
  const auto alone = percentile_99(answers_of(front, kClients, kRequests));
  ASSERT_EQ(reload(web(fmt::format("\"{}\", {}", to_string(stuck.address()), both), setting)).code,
            0);
  const auto all = answers_of(front, kClients, kRequests);
  const auto [count, s] = answered_by("stuck", all);
  const auto [others, t] = answered_by("quick", all);
  const auto expected = kRequests * t / (2 * s + t);
  const auto with_stuck = percentile_99(all);
  fmt::print(
      "measured, least_connections, {} clients, one of three takes {:.0f} ms, two {:.1f} ms: it "
      "had "
      "{} of {} connections, by arithmetic {:.0f}; p99 {:.1f} ms, {:.1f} ms of the two others "
      "alone: {:.2f} times\n",
      kClients, s, t, count, kRequests, expected, with_stuck, alone, with_stuck / alone);
  EXPECT_EQ(count + others, kRequests);
  // A third of the clients goes there at the beginning, at once.
  EXPECT_NEAR(count, expected + kClients / 3.0, expected / 2 + kClients)
      << "in turn it would be a third of all";
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
