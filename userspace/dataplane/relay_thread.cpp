// SPDX-License-Identifier: Apache-2.0
// What the connections of one thread share.
#include <utility>

#include "userspace/dataplane/connection.h"

namespace ambbpf {

using namespace std::chrono_literals;

RelayThread::RelayThread(asio::io_context& its_io, const RelayOptions& given)
    : options(given),
      io(its_io),
      tools(given.pipes_below),
      recheck_timers(io, [](Direction& direction) { direction.connection->look_at(direction); }),
      demotion(*this) {}

void RelayThread::go_on_later(Direction& direction) {
  direction.unfinished = true;
  unfinished.push_back(&direction);
  if (unfinished.size() == 1) asio::post(io, [this] { go_on(); });
}

LivenessScan& RelayThread::scan_of(const KeepalivePolicy& keepalive) {
  for (auto& scan : scans)
    if (scan.keepalive == keepalive) return scan;
  return scans.emplace_back(io, keepalive);
}

TimeLimitScan& RelayThread::time_scan_of(const TimeLimits& limits) {
  for (auto& scan : time_scans)
    if (scan.limits == limits) return scan;
  return time_scans.emplace_back(io, limits);
}

void RelayThread::count_turn(int events) {
  constexpr double kWeight = 1.0 / 8;
  events_a_turn += (events - events_a_turn) * kWeight;
  last_turn = Clock::now();
}

// Then one wake-up serves many connections, and user space is as cheap as the kernel's worker,
// which is woken for each of them.
bool RelayThread::is_busy() const {
  constexpr double kManyEvents = 4;
  constexpr auto kPause = 10ms;
  return events_a_turn >= kManyEvents && Clock::now() - last_turn < kPause;
}

bool RelayThread::has_few_connections() const {
  const auto& all = *options.all;
  return all.connections <= all.threads * options.demotion.connections;
}

void RelayThread::go_on() {
  const auto turns = std::exchange(unfinished, {});
  for (Direction* direction : turns) direction->unfinished = false;
  for (Direction* direction : turns) direction->connection->look_at(*direction);
}

}  // namespace ambbpf
