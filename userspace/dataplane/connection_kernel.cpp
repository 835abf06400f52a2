// SPDX-License-Identifier: Apache-2.0
// A connection and the kernel program: when it enters the sockmap, how a direction is handed over
// and taken back. README.md beside this file says why each step stands where it stands.
#include <algorithm>

#include "userspace/dataplane/connection.h"
#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr auto kLongestAwaited = 5s;
constexpr auto kLeastPause = 100ms;

// A direction that is taken back soon after it was handed over stays in user space for a while, and
// each time for twice as long: moving to and fro costs more than either place.
constexpr auto kFirstStay = 2ms;
constexpr auto kLongestStay = 1s;
constexpr auto kLongService = 250ms;  // after so long in the kernel the count starts anew

}  // namespace

flow* Connection::flow_of(const Direction& direction) const {
  if (!slots_) return nullptr;
  return &thread_.kernel->flow_at(direction.source == kClient ? slots_->client : slots_->backend);
}

std::uint64_t Connection::redirected(const Direction& direction) const {
  flow* flow = flow_of(direction);
  return flow ? load_shared(flow->redirected) : 0;
}

// What we write before the kernel's worker has finished would overtake its bytes.
Backlog Connection::backlog(const Direction& direction) {
  const auto target = counts_of(target_of(direction));
  if (!target || target->closed) return {};
  const auto given = direction.pump.written() + redirected(direction);
  return {.bytes = static_cast<std::int64_t>(given - target->entered),
          .target_is_idle = target->queue_empty};
}

// The direction has just been found drained.
void Connection::consider_kernel(Direction& direction) {
  if (!thread_.kernel) return;
  if (!slots_) {
    if (stays_in_user_ || other(direction).pump.has_buffered_bytes()) return;
    if (other(direction).state == Direction::State::kEnded) return;  // it would be refused
    if (has_earned_promotion()) return promote();
    // It may have nothing more to say.
    const auto now = Clock::now();
    if (direction.source == kClient && now - adopted_at_ >= thread_.options.promotion.age)
      thread_.recheck_timers.schedule(
          direction, now + std::max<Clock::duration>(thread_.options.promotion.age, kLeastPause));
    return;
  }
  if (!slots_->whole) return;
  if (Clock::now() < direction.stay.until)
    return thread_.recheck_timers.schedule(direction, direction.stay.until);
  if (thread_.demotion.keeps_gates_shut()) return;
  open_gate(direction);
}

bool Connection::has_earned_promotion() const {
  const auto& wanted = thread_.options.promotion;
  const auto age = Clock::now() - adopted_at_;
  // Of who never says anything the first byte is not awaited for ever.
  if (awaits_first_byte_ && first_byte_ && age < kLongestAwaited) return false;
  if (wanted.only_where_faster && !is_faster_in_kernel()) return false;
  if (turns_ >= wanted.turns && (thread_.has_few_connections() || !wanted.only_where_faster))
    return true;
  return age >= wanted.age;
}

bool Connection::is_faster_in_kernel() const {
  const auto in_bulk = [](const Direction& direction) { return direction.pump.reads_in_bulk(); };
  return !thread_.is_busy() && !thread_.demotion.keeps_gates_shut() &&
         std::none_of(directions_.begin(), directions_.end(), in_bulk);
}

void Connection::promote() {
  first_byte_ = nullptr;  // the kernel may move it
  // Whole segments only from here on: the program gets a segment that was read in part whole, and
  // its beginning would arrive twice.
  if (!drain_receive_queues()) return flush_buffered_bytes();
  auto slots = thread_.kernel->enter(legs_[kClient].socket.get(), legs_[kBackend].socket.get());
  if (!slots || !slots->whole) {
    stays_in_user_ = true;
    count_refusal(slots ? "the backend's socket was refused" : slots.error().message());
  }
  if (!slots) return flush_buffered_bytes();

  count(thread_.counts.promoted);
  count(thread_.counts.in_map_now);
  slots_ = *slots;
  if (const auto end = std::max(slots_->client, slots_->backend) + std::size_t{1};
      thread_.at_slot.size() < end)
    thread_.at_slot.resize(end);
  thread_.at_slot[slots_->client] = &directions_[kClient];
  thread_.at_slot[slots_->backend] = &directions_[kBackend];
  for (auto& direction : directions_) direction.pump.stop_splicing();
  thread_.demotion.begin();
  for (auto& direction : directions_) advance(direction);
}

void Connection::count_refusal(const std::string& why) {
  log::debug("a connection stays in user space: {}", why);
  count(thread_.counts.refused_by_kernel);
  const std::lock_guard lock(thread_.last_refusal_mutex);
  thread_.counts.last_refusal = why;
}

// The target may be writable and have said so long ago: no event will come.
void Connection::flush_buffered_bytes() {
  if (closed_) return;
  for (auto& direction : directions_)
    if (direction.pump.has_buffered_bytes() && !direction.unfinished)
      thread_.go_on_later(direction);
}

// Empties both sockets' receive queues. False: not now, or the connection is gone.
bool Connection::drain_receive_queues() {
  for (auto& direction : directions_) {
    if (direction.state == Direction::State::kEnded) continue;
    const Leg& source = source_of(direction);
    const auto outcome =
        direction.pump.drain(source.socket.get(), source.read_before, thread_.tools);
    if (outcome == Pump::Outcome::kSourceFailed) break_off(source, direction.pump.error());
    if (outcome != Pump::Outcome::kDrained) return false;
  }
  return true;
}

void Connection::open_gate(Direction& direction) {
  flow& flow = *flow_of(direction);
  const Leg& source = source_of(direction);

  // In this order: what is passed after this line moves `passed`, what arrived before the next one
  // is counted there. If both agree no unread byte of the source exists anywhere.
  const auto passed = load_shared(flow.passed);
  const auto counts = counts_of(source);
  if (!counts || counts->received != direction.pump.read() + redirected(direction))
    return look_again_soon(direction);

  direction.recheck = {};
  store_shared(flow.consumed, passed);
  store_shared(flow.opened, flow.opened + 1);
  store_shared(flow.gate, 1U);
  set_state(direction, Direction::State::kKernel);
  direction.handed_over_at = Clock::now();
  count(thread_.counts.handed_over);

  // A verdict that began before the gate opened may end only now, and passes its segment without an
  // event. TCP_INFO takes the socket's lock, so after it such a segment shows in `passed`.
  counts_of(source);
  if (load_shared(flow.passed) != passed) {
    take_back(direction);
    advance(direction);
  }
}

void Connection::taken_back_by_kernel(Direction& direction) {
  if (closed_) return;
  const flow& flow = *flow_of(direction);
  if (load_shared(flow.broken) != 0) {
    log::error("{}: bytes that it sent again could not be told from new ones: it is reset",
               name_of(source_of(direction)));
    return give_up(direction);
  }
  if (direction.state != Direction::State::kKernel) return;
  if (load_shared(flow.passed) == load_shared(flow.consumed))
    return;  // an event of the slot's earlier owner
  take_back(direction);
  const auto now = Clock::now();
  const auto before = direction.stay.length;
  const bool bounced = before > 0ms && now - direction.handed_over_at < kLongService;
  const auto length = bounced ? std::min<Clock::duration>(before * 2, kLongestStay) : kFirstStay;
  direction.stay = {length, now + length};
  advance(direction);
  rearm();
}

void Connection::take_back(Direction& direction) {
  if (direction.state != Direction::State::kKernel) return;
  store_shared(flow_of(direction)->gate, 0U);
  // Waits for the verdict that may be under way: from here on `redirected` stands still.
  counts_of(source_of(direction));
  set_state(direction, Direction::State::kSettling);
  direction.backlog.forget();
  count(thread_.counts.taken_back);
}

}  // namespace ambbpf
