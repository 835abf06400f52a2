// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>
#include <vector>

#include "tests/bench/protocol.h"
#include "tests/bench/work.h"

namespace ambbpf::bench {
namespace {

// Runs out of no ports: the server closes first, so what waits in TIME_WAIT is the server's end and
// the proxy's accepting end, which do not count against those who connect.
class ConnectClients {
 public:
  ConnectClients(const sockaddr_in& to, int concurrent) : to_(to), clients_(concurrent) {
    for (std::size_t place = 0; place < clients_.size(); ++place) start(place);
  }

  // Returns how many connections were served to their end.
  std::uint64_t run_until(Clock::time_point end) {
    const std::uint64_t before = served_;
    while (Clock::now() < end) {
      for (const epoll_event& event : epoll_.wait(std::chrono::milliseconds(100))) {
        proceed(event.data.u64, event.events);
      }
    }
    return served_ - before;
  }

 private:
  struct Client {
    UniqueFd socket;
    bool asked = false;
    std::size_t received = 0;
  };

  void start(std::size_t place) {
    clients_[place] = {begin_connecting(to_)};
    epoll_.add(clients_[place].socket.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, place);
  }

  void proceed(std::size_t place, std::uint32_t events) {
    Client& client = clients_[place];
    if (!client.asked && (events & (EPOLLOUT | EPOLLERR))) {
      if (send_some(client.socket.get(), kLastRequest) !=
          static_cast<ssize_t>(kLastRequest.size())) {
        throw std::runtime_error("no room for a request");
      }
      client.asked = true;
    }
    if (!(events & (EPOLLIN | EPOLLRDHUP))) return;
    for (;;) {
      const ssize_t got = read_some(client.socket.get(), scratch_);
      if (got == kWouldBlock) return;
      if (got == 0) break;
      check(client, {scratch_.data(), static_cast<std::size_t>(got)});
      // More may be there only if its end is, too.
      if (!(events & EPOLLRDHUP)) return;
    }
    if (client.received != expected_.size()) throw std::runtime_error("a response was cut off");
    ++served_;
    start(place);
  }

  void check(Client& client, std::string_view bytes) const {
    if (bytes != std::string_view(expected_).substr(client.received, bytes.size())) {
      throw std::runtime_error("not the expected response");
    }
    client.received += bytes.size();
  }

  sockaddr_in to_;
  Epoll epoll_;
  std::vector<Client> clients_;
  std::uint64_t served_ = 0;
  const std::string expected_ = response(true);
  std::string scratch_ = std::string(4096, '\0');
};

}  // namespace

Report connect_anew(const sockaddr_in& to, int concurrent, Span span) {
  ConnectClients clients(to, concurrent);
  clients.run_until(Clock::now() + std::chrono::duration_cast<Clock::duration>(span.warm_up));
  const auto begin = Clock::now();
  const auto served =
      clients.run_until(begin + std::chrono::duration_cast<Clock::duration>(span.measured));
  if (served == 0) throw std::runtime_error("no connection in the time given");
  Report report;
  report.add("connections_per_second",
             static_cast<double>(served) / Seconds(Clock::now() - begin).count());
  return report;
}

}  // namespace ambbpf::bench
