// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>
#include <vector>

#include "tests/bench/pace.h"
#include "tests/bench/protocol.h"
#include "tests/bench/work.h"

namespace ambbpf::bench {
namespace {

class HttpClients {
 public:
  HttpClients(const sockaddr_in& to, HttpWork work) : pace_(work.rate) {
    for (int i = 0; i < work.connections; ++i) {
      UniqueFd socket = connect_to(to);
      set_nonblocking(socket.get());
      epoll_.add(socket.get(), EPOLLIN, clients_.size());
      free_.push_back(clients_.size());
      clients_.push_back({std::move(socket)});
    }
  }

  // Returns how many requests were answered.
  std::uint64_t run_until(Clock::time_point end) {
    const std::uint64_t before = answered_;
    while (Clock::now() < end) {
      ask();
      for (const epoll_event& event : epoll_.wait(pace_.fixed() ? kTick : kTimeout)) {
        read(event.data.u64);
      }
    }
    return answered_ - before;
  }

 private:
  struct Client {
    UniqueFd socket;
    std::size_t received = 0;  // of the response
  };
  static constexpr std::chrono::milliseconds kTimeout{100};

  void ask() {
    for (auto due = pace_.due(); due > 0 && !free_.empty(); --due) {
      if (send_some(clients_[free_.back()].socket.get(), kKeepAliveRequest) !=
          static_cast<ssize_t>(kKeepAliveRequest.size())) {
        throw std::runtime_error("no room for a request");
      }
      free_.pop_back();
      pace_.done(1);
    }
  }

  void read(std::size_t place) {
    Client& client = clients_[place];
    const ssize_t got = read_some(client.socket.get(), scratch_);
    if (got == kWouldBlock) return;
    const std::string_view bytes(scratch_.data(), got);
    if (got == 0 || bytes != std::string_view(expected_).substr(client.received, got)) {
      throw std::runtime_error("not the expected response");
    }
    client.received += got;
    if (client.received < expected_.size()) return;
    client.received = 0;
    ++answered_;
    free_.push_back(place);
  }

  Pace pace_;
  Epoll epoll_;
  std::vector<Client> clients_;
  std::vector<std::size_t> free_;  // may ask
  std::uint64_t answered_ = 0;
  const std::string expected_ = response(false);
  std::string scratch_ = std::string(4096, '\0');
};

}  // namespace

Report http(const sockaddr_in& to, HttpWork work, Span span) {
  HttpClients clients(to, work);
  const auto span_begin = Clock::now() + std::chrono::duration_cast<Clock::duration>(span.warm_up);
  clients.run_until(span_begin);
  if (work.spins) work.spins->since_last();
  const auto begin = Clock::now();
  const auto answered =
      clients.run_until(begin + std::chrono::duration_cast<Clock::duration>(span.measured));
  if (answered == 0) throw std::runtime_error("no answer in the time given");
  Report report;
  report.add("requests_per_second",
             static_cast<double>(answered) / Seconds(Clock::now() - begin).count());
  if (work.spins) report.add("spins_per_second", work.spins->since_last());
  return report;
}

}  // namespace ambbpf::bench
