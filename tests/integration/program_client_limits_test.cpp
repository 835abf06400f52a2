// SPDX-License-Identifier: Apache-2.0
// The limits of clients hold exactly while connections come in thousands a second, and a scan from
// very many addresses takes no more memory than it may.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "tests/integration/program_reload.h"
#include "tests/support/must.h"
#include "userspace/support/close_socket.h"

namespace ambbpf::test {
namespace {

using namespace std::chrono_literals;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // freed memory is kept for a while, and everything is slow
#else
constexpr bool kSanitized = false;
#endif

// Takes connections in and ends them with a reset, which leaves no TIME_WAIT; or holds them, and
// knows how many it had at once.
class Taker {
 public:
  explicit Taker(bool holds) : holds_(holds) {
    taking_ = std::thread([this] { take(); });
  }
  ~Taker() {
    stopping_ = true;
    taking_.join();
  }
  Taker(const Taker&) = delete;
  Taker& operator=(const Taker&) = delete;

  const tcp::endpoint& address() const { return listener_.address(); }
  std::size_t most() const { return most_; }
  std::size_t total() const { return total_; }

 private:
  void take() {
    std::vector<pollfd> all{{listener_.socket(), POLLIN, 0}};
    while (!stopping_) {
      ::poll(all.data(), all.size(), 50);
      for (std::size_t i = all.size(); i-- > 1;) {
        if (all[i].revents == 0) continue;
        close_with_reset(UniqueFd(all[i].fd));
        all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
      }
      if (all[0].revents == 0) continue;
      UniqueFd taken(::accept4(listener_.socket(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!taken) continue;
      ++total_;
      if (!holds_) {
        close_with_reset(std::move(taken));
        continue;
      }
      all.push_back({taken.release(), POLLIN, 0});
      most_ = std::max<std::size_t>(most_, all.size() - 1);
    }
    for (std::size_t i = 1; i < all.size(); ++i) close_with_reset(UniqueFd(all[i].fd));
  }

  const bool holds_;
  Listener listener_{loopback_v4(), 4096};
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> most_{0};
  std::atomic<std::size_t> total_{0};
  std::thread taking_;
};

// From 127.64.0.0 on: all of 127.0.0.0/8 is this host's.
UniqueFd connected_from(std::uint32_t client, const tcp::endpoint& to) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  must(static_cast<bool>(socket), "socket");
  const int later = 1;  // the port is chosen when it connects: ip(7)
  must(::setsockopt(socket.get(), SOL_IP, IP_BIND_ADDRESS_NO_PORT, &later, sizeof later) == 0,
       "IP_BIND_ADDRESS_NO_PORT");
  const tcp::endpoint from(asio::ip::address_v4(0x7F400000 + client), 0);
  must(::bind(socket.get(), from.data(), static_cast<socklen_t>(from.size())) == 0, "bind");
  // Whoever is reset at once may hear of that first.
  const int connected = ::connect(socket.get(), to.data(), static_cast<socklen_t>(to.size()));
  must(connected == 0 || errno == ECONNRESET, "connect");
  return socket;
}

bool was_reset(const UniqueFd& socket) {
  pollfd end{socket.get(), POLLIN, 0};
  return ::poll(&end, 1, 0) > 0;
}

class ProgramClientLimits : public RunByFile {
 protected:
  std::unique_ptr<Program> started(const tcp::endpoint& backend, const std::string& limits) const {
    write("threads = 4\n" + service("web", front, backend, limits));
    auto program = std::make_unique<Program>(by_file());
    if (!program->says("admin socket")) throw std::runtime_error(program->err());
    return program;
  }
  // By several threads at once, as fast as they can; each is given the number of its connection.
  void flood(std::uint32_t connections, const std::function<void(std::uint32_t)>& connect) const {
    constexpr std::uint32_t kThreads = 4;
    std::vector<std::future<void>> clients;
    for (std::uint32_t thread = 0; thread < kThreads; ++thread)
      clients.push_back(in_background([=, &connect] {
        for (auto i = thread; i < connections; i += kThreads) connect(i);
      }));
    for (auto& client : clients) client.get();
  }
  // With a reset, which leaves no TIME_WAIT.
  void come_and_go(std::uint32_t client) const { close_with_reset(connected_from(client, front)); }
  static std::uint64_t resident_kib(const Program& program) {
    std::ifstream status(fmt::format("/proc/{}/status", program.pid()));
    std::uint64_t kib = 0;
    for (std::string field; status >> field;)
      if (field == "VmRSS:") status >> kib;
    return kib;
  }
  // All have been looked at.
  void wait_for(std::uint64_t connections) const {
    EXPECT_TRUE(eventually([&] {
      const auto web = status_of("web");
      return web.refused + web.connections_total >= connections;
    }));
  }

  const tcp::endpoint front = free_address();
};

TEST_F(ProgramClientLimits, OfNewConnectionsNoneTooManyPassAndNoneTooFew) {
  constexpr std::uint32_t kConnections = 15'000;
  constexpr double kRate = 1'000;
  Taker backend(false);
  const auto program = started(backend.address(), "connection_rate = 1000");
  const auto begun = Clock::now();
  flood(kConnections, [this](std::uint32_t) { come_and_go(0); });
  const std::chrono::duration<double> offering = Clock::now() - begun;
  wait_for(kConnections);
  const std::chrono::duration<double> all = Clock::now() - begun;
  const auto web = status_of("web");
  EXPECT_EQ(web.connections_total + web.too_fast, kConnections);
  const auto passed = static_cast<double>(web.connections_total);
  fmt::print("measured: {} connections in {:.2f} s, {} passed at {} a second\n", kConnections,
             offering.count(), passed, kRate);
  // A second's worth at once, and one for each millisecond.
  EXPECT_LE(passed, kRate + kRate * all.count() + 1);
  EXPECT_GE(passed, std::min<double>(kConnections, kRate + kRate * offering.count() * 0.8));
}

TEST_F(ProgramClientLimits, OfOpenConnectionsNoneTooManyAreThere) {
  constexpr std::uint32_t kConnections = 10'000;
  constexpr std::uint32_t kClients = 3;
  constexpr std::uint32_t kOfEach = 10;
  Taker backend(true);
  const auto program =
      started(backend.address(), fmt::format("max_connections_per_client = {}", kOfEach));
  std::mutex mutex;
  std::vector<UniqueFd> open;
  flood(kConnections, [&](std::uint32_t i) {
    auto socket = connected_from(i % kClients, front);
    const std::scoped_lock lock(mutex);
    std::erase_if(open, was_reset);
    open.push_back(std::move(socket));
  });
  wait_for(kConnections);
  EXPECT_TRUE(eventually([&] { return status_of("web").connections_now == kClients * kOfEach; }));
  EXPECT_EQ(backend.most(), kClients * kOfEach);
  EXPECT_EQ(backend.total(), kClients * kOfEach);
  EXPECT_EQ(status_of("web").too_many_of_a_client, kConnections - kClients * kOfEach);
}

TEST_F(ProgramClientLimits, AScanFromVeryManyAddressesTakesBoundedMemory) {
  constexpr std::uint32_t kRemembered = 65'536;
  constexpr std::uint32_t kClients = kSanitized ? 5'000 : kRemembered + 4'464;
  constexpr std::uint64_t kMostOfEach = 256;     // bytes
  constexpr std::uint64_t kUnderWay = 8 * 1024;  // KiB, of connections that are open at a time
  Taker backend(false);
  const auto program = started(backend.address(), "connection_rate_per_client = 1");
  flood(1'000, [this](std::uint32_t i) { come_and_go(i); });
  wait_for(1'000);
  const auto before = resident_kib(*program);
  flood(kClients, [this](std::uint32_t i) { come_and_go(i); });
  wait_for(1'000 + kClients);
  const auto grown = resident_kib(*program) - before;
  fmt::print("measured: {} KiB more after a scan from {} addresses\n", grown, kClients);
  if (!kSanitized) {
    EXPECT_LE(grown, kRemembered * kMostOfEach / 1024 + kUnderWay);
  }
  // The limit still holds.
  const auto refused = status_of("web").too_fast_for_a_client;
  flood(100, [this](std::uint32_t) { come_and_go(kClients); });
  wait_for(1'000 + kClients + 100);
  EXPECT_GE(status_of("web").too_fast_for_a_client - refused, 90U);
}

}  // namespace
}  // namespace ambbpf::test
