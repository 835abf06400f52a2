// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "tests/bench/pace.h"
#include "tests/bench/protocol.h"
#include "tests/bench/work.h"

namespace ambbpf::bench {
namespace {

enum Failure : std::size_t { kRefused, kReset, kCutShort, kTimedOut, kUnreachable, kWrong, kKinds };
constexpr std::array<const char*, kKinds> kNames{"refused",   "reset",       "cut_short",
                                                 "timed_out", "unreachable", "wrong"};

Failure kind_of(int error) {
  switch (error) {
    case ECONNREFUSED:
      return kRefused;
    case ECONNRESET:
    case EPIPE:
      return kReset;
    case ETIMEDOUT:
      return kTimedOut;
    case EHOSTUNREACH:
    case ENETUNREACH:
      return kUnreachable;
    default:
      throw std::system_error(error, std::system_category(), "request");
  }
}

// Begins requests on time, whatever becomes of those before.
class SteadyClients {
 public:
  SteadyClients(const sockaddr_in& to, SteadyWork work)
      : to_(to), patience_(work.patience), pace_(work.rate) {}

  void run(Seconds span) {
    const auto end = begun_at_ + std::chrono::duration_cast<Clock::duration>(span);
    while (Clock::now() < end || !by_age_.empty()) {
      if (Clock::now() < end) begin_those_due();
      for (const epoll_event& event : epoll_.wait(kTick)) attend(event.data.u64, event.events);
      give_up_on_slow();
    }
  }

  Report report() {
    if (answered_.empty()) throw std::runtime_error("not one answer in the time given");
    Report report;
    report.add("requests", static_cast<double>(requests_.size()));
    for (std::size_t kind = 0; kind < kKinds; ++kind)
      report.add(kNames[kind], static_cast<double>(failures_[kind]));
    add_times(report, "connect", connected_);
    add_times(report, "answer", answered_);
    if (last_failure_ > Seconds(0))
      report.add("first_failure_s", first_failure_.count())
          .add("last_failure_s", last_failure_.count());
    return report;
  }

 private:
  struct Request {
    Clock::time_point begun{};
    UniqueFd socket{};
    bool asked = false;
    std::size_t received = 0;
  };

  void begin_those_due() {
    for (auto due = pace_.due(); due > 0; --due) {
      pace_.done(1);
      const auto place = requests_.size();
      requests_.emplace_back().begun = Clock::now();
      by_age_.push_back(place);
      try {
        requests_[place].socket = begin_connecting(to_);
        epoll_.add(requests_[place].socket.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, place);
      } catch (const std::system_error& error) {
        failed(requests_[place], kind_of(error.code().value()));
      }
    }
  }

  void attend(std::size_t place, std::uint32_t events) {
    Request& request = requests_[place];
    try {
      proceed(request, events);
    } catch (const std::system_error& error) {
      failed(request, kind_of(error.code().value()));
    }
  }

  void proceed(Request& request, std::uint32_t events) {
    if (!request.asked && (events & (EPOLLOUT | EPOLLERR))) {
      send_some(request.socket.get(), kLastRequest);  // throws if the connect has failed
      request.asked = true;
      connected_.push_back(Clock::now() - request.begun);
    }
    if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLERR))) return;
    for (;;) {
      const ssize_t got = read_some(request.socket.get(), scratch_);
      if (got == kWouldBlock) return;
      if (got == 0) return ended(request);
      const std::string_view bytes(scratch_.data(), static_cast<std::size_t>(got));
      if (bytes != std::string_view(expected_).substr(request.received, bytes.size()))
        return failed(request, kWrong);
      request.received += bytes.size();
    }
  }

  void ended(Request& request) {
    if (request.received != expected_.size()) return failed(request, kCutShort);
    request.socket = UniqueFd();
    answered_.push_back(Clock::now() - request.begun);
  }

  void failed(Request& request, Failure kind) {
    request.socket = UniqueFd();
    ++failures_[kind];
    const Seconds at = request.begun - begun_at_;
    first_failure_ = std::min(first_failure_, at);
    last_failure_ = std::max(last_failure_, at);
  }

  void give_up_on_slow() {
    const auto now = Clock::now();
    while (!by_age_.empty()) {
      Request& oldest = requests_[by_age_.front()];
      if (oldest.socket && now - oldest.begun < patience_) return;
      if (oldest.socket) failed(oldest, kTimedOut);
      by_age_.pop_front();
    }
  }

  static void add_times(Report& report, const std::string& what, std::vector<Seconds>& times) {
    std::sort(times.begin(), times.end());
    const auto last = static_cast<double>(times.size() - 1);
    report.add(what + "_p99_ms", times[static_cast<std::size_t>(0.99 * last)].count() * 1000);
    report.add(what + "_slowest_ms", times.back().count() * 1000);
  }

  const sockaddr_in to_;
  const Seconds patience_;
  const Clock::time_point begun_at_ = Clock::now();
  Pace pace_;
  Epoll epoll_;
  std::deque<Request> requests_;    // all of them
  std::deque<std::size_t> by_age_;  // those that may be open
  std::vector<Seconds> connected_;  // how long it took
  std::vector<Seconds> answered_;   // the connect included
  std::array<int, kKinds> failures_{};
  Seconds first_failure_{Seconds::max()};
  Seconds last_failure_{0};
  const std::string expected_ = response(true);
  std::string scratch_ = std::string(4096, '\0');
};

}  // namespace

Report steady(const sockaddr_in& to, SteadyWork work, Span span) {
  SteadyClients clients(to, work);
  clients.run(span.measured);
  return clients.report();
}

}  // namespace ambbpf::bench
