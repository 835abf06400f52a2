// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/demotion.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/dataplane/connection.h"
#include "userspace/events/event_log.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr auto kLookEvery = 20ms;
constexpr auto kLookWhenQuiet = 250ms;      // nothing has moved
constexpr std::size_t kMostAtATime = 4096;  // some 1 ms
constexpr auto kBetweenHandovers = 20us;    // which take some 5 each

}  // namespace

DemotionWatch::DemotionWatch(RelayThread& thread) : thread_(thread), timer_(thread.io) {
  ++thread_.options.all->threads;
}

DemotionWatch::~DemotionWatch() {
  tell_others({});
  --thread_.options.all->threads;
}

void DemotionWatch::tell_others(Said said) {
  auto& all = *thread_.options.all;  // their sums are modulo 2^64
  all.busy += said.busy - told_.busy;
  all.turns_per_second += said.turns_per_second - told_.turns_per_second;
  all.bytes_per_second += said.bytes_per_second - told_.bytes_per_second;
  told_ = said;
}

std::size_t DemotionWatch::busy_for_each_thread() const {
  const auto& all = *thread_.options.all;
  return (all.busy + all.threads - 1) / all.threads;
}

void DemotionWatch::begin() {
  if (goes_on_ || !thread_.kernel) return;
  if (thread_.counts.in_map_now == 0 && thread_.has_few_connections()) return;
  segments_seen_ = thread_.kernel->segments();
  bytes_seen_ = bytes_moved();
  looked_at_ = Clock::now();
  turns_ = busy_ = 0;
  go_on(true);
}

// The more there are to look at, the less often.
void DemotionWatch::go_on(bool moved) {
  const auto in_map = thread_.counts.in_map_now;
  goes_on_ = shut_ || in_map > 0 || !thread_.has_few_connections();
  if (!goes_on_) return tell_others({});
  const Clock::duration pause = kLookEvery * (1 + in_map / kMostAtATime);
  timer_.expires_after(moved ? pause : std::max<Clock::duration>(pause, kLookWhenQuiet));
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) look();
  });
}

void DemotionWatch::look() {
  const auto& limits = thread_.options.demotion;
  const auto now = Clock::now();
  const std::chrono::duration<double> span = now - std::exchange(looked_at_, now);
  const auto a_second = [&span](std::uint64_t since_the_last_look) {
    return static_cast<std::uint64_t>(static_cast<double>(since_the_last_look) / span.count());
  };
  const auto segments = thread_.kernel->segments();
  const auto bytes = bytes_moved();
  const auto moved = std::exchange(turns_, 0) + segments - std::exchange(segments_seen_, segments);
  const auto in_kernel = busy_in_kernel();
  // Half of what begins it goes on with it.
  bool crowded = now < crowded_until_;
  const auto least_turns = limits.turns_per_second / (crowded ? 2 : 1);
  const auto least_busy = limits.connections / (crowded ? 2 : 1);
  const auto own_busy = std::exchange(busy_, 0) + in_kernel.size();
  tell_others({.busy = a_second(moved) > least_turns ? own_busy : 0,
               .turns_per_second = a_second(moved),
               .bytes_per_second = a_second(bytes - std::exchange(bytes_seen_, bytes))});
  ++window_;
  if (busy_for_each_thread() > least_busy) crowded_until_ = now + limits.calm;
  crowded = now < crowded_until_;
  const bool was_shut = std::exchange(shut_, crowded || user_is_faster(now, crowded));
  if (crowded != std::exchange(was_crowded_, crowded)) record_turn(crowded);
  if (was_shut && !shut_) hand_over_all();
  if (shut_)
    for (auto* connection : in_kernel) connection->demote();
  go_on(moved > 0);
}

std::uint64_t DemotionWatch::bytes_moved() const {
  const auto& counts = thread_.counts;
  return counts.to_backend.user_bytes + counts.to_client.user_bytes +
         thread_.kernel->redirected_to_backends() + thread_.kernel->redirected_to_clients();
}

bool DemotionWatch::user_is_faster(Clock::time_point now, bool crowded) {
  const auto& limits = thread_.options.demotion;
  if (!limits.tries_both) return false;
  auto& all = *thread_.options.all;
  if (const std::unique_lock lock(all.trial_mutex, std::try_to_lock);
      lock && now - all.sampled_at >= kLookEvery * 3 / 4) {
    all.sampled_at = now;
    const bool hot = !crowded && all.turns_per_second >= limits.hot_turns_per_second;
    const auto preferred = all.trial.preferred();
    const auto path = all.trial.sample(now, static_cast<double>(all.bytes_per_second), hot);
    all.user_is_to_move = path == PathTrial::Path::kUser;
    if (all.trial.preferred() != preferred) record_trial(all.trial);
  }
  return all.user_is_to_move;
}

// Those that have moved bytes since the last look, unless they have been counted for a turn in user
// space.
std::vector<Connection*> DemotionWatch::busy_in_kernel() const {
  std::vector<Connection*> busy;
  if (thread_.counts.directions_in_kernel_now == 0) return busy;
  for (const Direction* direction : thread_.at_slot)
    if (direction && direction->source == kClient && direction->connection->was_busy_in_kernel())
      busy.push_back(direction->connection);
  return busy;
}

void DemotionWatch::record_turn(bool crowded) const {
  event_log().record(
      {.kind = std::string(crowded ? event_kind::kDemoted : event_kind::kPromoted),
       .cause = fmt::format("{} connections are busy for each thread", busy_for_each_thread()),
       .outcome = fmt::format("a thread's {} connections are served {}", thread_.connections.size(),
                              crowded ? "in user space" : "by the kernel again")});
}

void DemotionWatch::record_trial(const PathTrial& trial) {
  const bool user = trial.preferred() == PathTrial::Path::kUser;
  event_log().record(
      {.kind = std::string(user ? event_kind::kDemoted : event_kind::kPromoted),
       .cause = fmt::format("tried, it moved {:.2f} times as much", trial.advantage()),
       .outcome = fmt::format("busy connections are served {}",
                              user ? "in user space" : "by the kernel again")});
}

void DemotionWatch::hand_over_all() {
  auto due = Clock::now();
  for (Direction* direction : thread_.at_slot)
    if (direction && direction->state == Direction::State::kUser)
      thread_.recheck_timers.schedule(*direction, due += kBetweenHandovers);
}

bool Connection::was_busy_in_kernel() {
  bool moved = false;
  for (auto& direction : directions_) {
    const auto now = redirected(direction);
    moved |= now != std::exchange(direction.redirected_when_looked_at, now);
  }
  return moved && !thread_.demotion.has_counted(last_window_);
}

void Connection::demote() {
  if (closed_) return;
  count(thread_.counts.demoted);
  for (auto& direction : directions_) {
    take_back(direction);
    advance(direction);
  }
  rearm();
}

}  // namespace ambbpf
