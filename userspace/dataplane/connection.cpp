// SPDX-License-Identifier: Apache-2.0
// The life of a connection: what events mean, up to the ends of both streams. Its dealings with the
// kernel program are in connection_kernel.cpp, its end in connection_end.cpp.
#include "userspace/dataplane/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr auto kFirstRecheck = 1ms;
constexpr auto kLongestRecheck = 32ms;
constexpr auto kLongestDoubt = 5s;
constexpr auto kLongestWait = 30s;  // the kernel's worker competes for the processor like anybody

std::error_code pending_error(int socket) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
  return std::error_code(error, std::system_category());
}

// Where a direction's state is counted, if anywhere.
std::uint64_t* counted_in(Direction::State state, RelayCounts& counts) {
  switch (state) {
    case Direction::State::kUser:
    case Direction::State::kSettling:
      return &counts.directions_in_user_now;
    case Direction::State::kKernel:
      return &counts.directions_in_kernel_now;
    case Direction::State::kEnded:
      return nullptr;
  }
  return nullptr;
}

Leg leg_of(Connection& connection, std::uint32_t index, NewLeg leg) {
  return {.connection = &connection,
          .index = index,
          .socket = std::move(leg.socket),
          .read_before = leg.read_before,
          .written_before = leg.written_before};
}

}  // namespace

std::string_view name_of(const Leg& leg) { return leg.index == kClient ? "client" : "backend"; }

// A connection that the kernel gave up has timed out; that it had heard of no way to the peer is
// what it says then instead (tcp(7), ip(7)).
EndReason broken_by(const Leg& leg, std::error_code error) {
  const bool is_client = leg.index == kClient;
  if (error == std::errc::timed_out || error == std::errc::host_unreachable ||
      error == std::errc::network_unreachable)
    return is_client ? EndReason::kClientVanished : EndReason::kBackendVanished;
  return is_client ? EndReason::kClientReset : EndReason::kBackendReset;
}

std::optional<TcpCounts> counts_of(const Leg& leg) {
  auto counts = tcp_counts(leg.socket.get());
  if (counts) {
    counts->received -= leg.read_before;
    counts->entered -= leg.written_before;
  }
  return counts;
}

Connection::Connection(RelayThread& thread, LivenessScan& scan, ConnectionId id,
                       const ConnectionSettings& settings, NewLeg client, NewLeg backend,
                       Relay::Finished finished)
    : thread_(thread),
      scan_(scan),
      id_(id),
      group_(settings.group),
      owner_(settings.owner),
      legs_{leg_of(*this, kClient, std::move(client)), leg_of(*this, kBackend, std::move(backend))},
      directions_{
          Direction{.connection = this, .source = kClient, .pump = Pump(thread.pump_method())},
          Direction{.connection = this, .source = kBackend, .pump = Pump(thread.pump_method())}},
      awaits_first_byte_(settings.awaits_first_byte),
      adopted_at_(Clock::now()),
      first_byte_(settings.first_byte),
      finished_(std::move(finished)) {
  ++thread_.options.all->connections;
}

Connection::~Connection() {
  --thread_.options.all->connections;
  for (auto& direction : directions_) thread_.recheck_timers.cancel(direction);
}

void Connection::limit_time(TimeLimitScan& scan) {
  time_scan_ = &scan;
  time_watch_ = scan.add(*this);
}

void Connection::start(std::list<Connection>::iterator self) {
  self_ = self;
  for (auto& direction : directions_) set_state(direction, Direction::State::kUser);
  // Edge-triggered: each edge is answered by moving until nothing is left, so waiting costs no
  // further system call.
  for (auto& leg : legs_) watch(EPOLL_CTL_ADD, leg, EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET);
  if (thread_.kernel && !closed_)
    thread_.recheck_timers.schedule(directions_[kClient],
                                    adopted_at_ + thread_.options.promotion.age);
  // The client has mostly spoken by now. What the backend says first, epoll tells.
  advance(directions_[kClient]);
  rearm();
}

void Connection::on_ready(Leg& leg, std::uint32_t events) {
  if (closed_) return;
  Direction& from_here = directions_[leg.index];
  Direction& to_here = directions_[1 - leg.index];

  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) leg.hung_up = true;
  leg.has_fin = events & EPOLLRDHUP && !(events & EPOLLERR);
  if (events & EPOLLPRI) {
    leg.has_urgent = true;
    from_here.pump.stop_splicing();
  }

  if (leg.hung_up) take_back(from_here);
  if (events & ~EPOLLOUT) advance(from_here);
  if (events & EPOLLOUT && !closed_ && to_here.pump.has_buffered_bytes()) advance(to_here);
  // What came before a reset has been read above, and reading on has met the error. Where reading
  // was over, or is held up by the other side, the error is still to be asked for.
  if (events & EPOLLERR && !closed_) break_off(leg, pending_error(leg.socket.get()));
  rearm();
}

void Connection::look_at(Direction& direction) {
  if (closed_) return;
  advance(direction);
  rearm();
}

void Connection::set_state(Direction& direction, Direction::State state) {
  if (auto* now = counted_in(direction.state, thread_.counts)) count(*now, -1);
  if (auto* now = counted_in(state, thread_.counts)) count(*now);
  direction.state = state;
}

void Connection::advance(Direction& direction) {
  using State = Direction::State;
  if (closed_ || direction.unfinished) return;
  if (direction.state == State::kKernel || direction.state == State::kEnded) return;
  if (direction.state == State::kSettling) {
    if (const auto waiting = backlog(direction); waiting.bytes > 0)
      return wait_for(waiting, direction);
    set_state(direction, State::kUser);
    direction.recheck = {};
    direction.backlog.forget();
  }

  Leg& source = source_of(direction);
  Leg& target = target_of(direction);
  Pump& pump = direction.pump;
  const auto read_before = pump.read();
  const auto written_before = pump.written();
  const auto outcome =
      pump.run(source.socket.get(), target.socket.get(), thread_.tools, how_far_to_read(source));
  if (pump.read() != read_before) {
    ++turns_;
    thread_.demotion.count_turn(last_window_);
    if (first_byte_) note_first_byte(direction);
  }
  auto& counted =
      direction.source == kClient ? thread_.counts.to_backend : thread_.counts.to_client;
  count(counted.user_bytes, static_cast<std::int64_t>(pump.written() - written_before));

  switch (outcome) {
    case Pump::Outcome::kBlocked:
      return;  // the target's EPOLLOUT goes on
    case Pump::Outcome::kUnfinished:
      return thread_.go_on_later(direction);
    case Pump::Outcome::kSourceEnded:
      return end_of_stream(direction);
    case Pump::Outcome::kSourceFailed:
      return break_off(source, pump.error());
    case Pump::Outcome::kTargetFailed:
      return break_off(target, pump.error());
    case Pump::Outcome::kDrained:
      // Told of the FIN, but the end is not readable yet: bytes are still on their way to us.
      if (source.hung_up) return look_again_soon(direction);
      return consider_kernel(direction);
  }
}

// What the backend says is read in a turn of the loop that it has woken, and whose time is known.
void Connection::note_first_byte(const Direction& direction) {
  if (direction.source == kBackend)
    std::exchange(first_byte_, nullptr)(owner_, thread_.last_turn - adopted_at_);
}

Pump::Until Connection::how_far_to_read(const Leg& source) const {
  // In the sockmap a read is short at the end of each message that the program passed.
  if (slots_ || source.has_urgent) return Pump::Until::kEmpty;
  return source.has_fin ? Pump::Until::kFin : Pump::Until::kShortRead;
}

void Connection::look_again_soon(Direction& direction) {
  direction.recheck =
      std::clamp<Clock::duration>(direction.recheck * 2, kFirstRecheck, kLongestRecheck);
  thread_.recheck_timers.schedule(direction, Clock::now() + direction.recheck);
}

// In the sockmap a read of 0 may come early, while segments passed by the program still wait in the
// kernel's queue: it is believed when it agrees with the socket's own count. Of a plain socket it
// is the proof itself, and the accounting is checked at the connection's end.
void Connection::end_of_stream(Direction& direction) {
  if (!slots_) return pass_on_the_end(direction);
  const auto waiting = backlog(direction);
  if (waiting.bytes < 0) return give_up(direction);
  if (all_is_read(direction)) {
    if (waiting.bytes > 0) return wait_for(waiting, direction);
    return pass_on_the_end(direction);
  }
  // The source's worker puts both in their places, in the order in which they came: what was passed
  // on the source may wait behind what was redirected to it and finds its send queue full.
  if (const auto ahead = backlog(other(direction)); ahead.bytes > 0)
    return wait_for(ahead, direction);
  const auto arrived = static_cast<std::int64_t>(direction.pump.read() + redirected(direction));
  if (direction.doubt.of(arrived, Clock::now()) < kLongestDoubt) return look_again_soon(direction);
  give_up(direction);
}

// A full target may keep its backlog waiting for as long as it likes. One that has sent everything
// may not: then the bytes are lost, or were miscounted.
void Connection::wait_for(const Backlog& waiting, Direction& direction) {
  if (!waiting.target_is_idle) direction.backlog.forget();
  if (direction.backlog.of(waiting.bytes, Clock::now()) < kLongestWait)
    return look_again_soon(direction);
  give_up(direction);
}

void Connection::give_up(const Direction& direction) {
  report_mismatch(direction);
  reset(EndReason::kMiscounted, {});
}

bool Connection::all_is_read(const Direction& direction) {
  const auto source = counts_of(source_of(direction));
  // The FIN counts as one byte.
  return !source || source->received == direction.pump.read() + redirected(direction) + 1;
}

void Connection::pass_on_the_end(Direction& direction) {
  set_state(direction, Direction::State::kEnded);
  thread_.recheck_timers.cancel(direction);
  if (other(direction).state == Direction::State::kEnded) {
    check_accounting();
    // Which sends the FIN.
    return close(ConnectionEnd{.backend_was_first = direction.source == kClient, .error = {}});
  }
  Leg& target = target_of(direction);
  if (::shutdown(target.socket.get(), SHUT_WR) != 0)  // ENOTCONN: it has been reset
    break_off(target, pending_error(target.socket.get()));
}

void Connection::rearm() {
  if (closed_) return;
  for (auto& leg : legs_) {
    const bool parked_from = directions_[leg.index].state == Direction::State::kKernel;
    const bool parked_to = directions_[1 - leg.index].state == Direction::State::kKernel;
    // The kernel program's own traffic must not wake us: no EPOLLIN where it reads, no EPOLLOUT
    // where it writes.
    const bool full = leg.armed & EPOLLOUT || directions_[1 - leg.index].pump.has_buffered_bytes();
    const std::uint32_t wanted = EPOLLRDHUP | EPOLLET | (parked_from ? 0U : EPOLLIN | EPOLLPRI) |
                                 (full && !parked_to ? std::uint32_t{EPOLLOUT} : 0U);
    if (wanted != leg.armed) watch(EPOLL_CTL_MOD, leg, wanted);
  }
}

void Connection::watch(int operation, Leg& leg, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.ptr = &leg}};
  if (::epoll_ctl(thread_.epoll.get(), operation, leg.socket.get(), &event) == 0) {
    leg.armed = events;
    return;
  }
  // Only for want of memory or watches (ENOMEM, ENOSPC): unwatched, the connection would hang.
  reset(EndReason::kInternal, std::error_code(errno, std::system_category()));
}

}  // namespace ambbpf
