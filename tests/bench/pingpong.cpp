// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/bench/protocol.h"
#include "tests/bench/work.h"

namespace ambbpf::bench {
namespace {

double microseconds(double nanoseconds) { return nanoseconds / 1000; }

Report summary(std::vector<std::uint32_t>& round_trips) {
  if (round_trips.empty()) throw std::runtime_error("no round trip in the time given");
  std::sort(round_trips.begin(), round_trips.end());
  const auto quantile = [&](double q) {
    return microseconds(
        round_trips[static_cast<std::size_t>(q * static_cast<double>(round_trips.size() - 1))]);
  };
  const double sum = std::accumulate(round_trips.begin(), round_trips.end(), 0.0);
  Report report;
  report.add("round_trips", static_cast<double>(round_trips.size()));
  report.add("p50_us", quantile(0.5)).add("p99_us", quantile(0.99));
  report.add("mean_us", microseconds(sum / static_cast<double>(round_trips.size())));
  return report;
}

}  // namespace

Report pingpong(const sockaddr_in& to, std::uint32_t size, Seconds every, Span span) {
  const UniqueFd socket = connect_to(to);
  send_all(socket.get(), echo_greeting(size));
  std::string sent(size, 'p');
  std::string received(size, '\0');
  std::vector<std::uint32_t> round_trips;
  round_trips.reserve(1 << 20);

  const auto begin = Clock::now();
  auto due = begin;
  for (auto now = begin; now - begin < span.warm_up + span.measured;) {
    std::this_thread::sleep_until(due);
    due += std::chrono::duration_cast<Clock::duration>(every);
    ++sent.front();
    ++sent.back();
    const auto sent_at = Clock::now();
    send_all(socket.get(), sent);
    read_exactly(socket.get(), received);
    now = Clock::now();
    if (received != sent) throw std::runtime_error("another frame came back");
    if (sent_at - begin < span.warm_up) continue;
    round_trips.push_back(
        static_cast<std::uint32_t>(std::chrono::nanoseconds(now - sent_at).count()));
  }
  return summary(round_trips);
}

}  // namespace ambbpf::bench
