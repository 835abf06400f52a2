// SPDX-License-Identifier: Apache-2.0
// Inside the data plane: one connection, and what all connections of a thread share.
//
// Its rules:
// - Callbacks move bytes; coroutines wait, as in dialling. So an idle connection holds no frame,
//   which is how it comes to cost 0.6 KiB only.
// - A Connection may be closed by whatever reads, writes or watches its sockets: `advance`,
//   `rearm`, and all that call them. It stays in memory, in RelayThread::retired, until the present
//   turn of the event loop is over; so who goes on after such a call asks `closed_` first.
// - Only `advance` moves bytes in user space. When it finds a direction drained it considers the
//   kernel: `promote` (the first time) or `open_gate`. Both change what there is to read without an
//   event being due: on entering the map the pumps hold what they drained, and a segment may slip
//   in before the gate is open. So both end in `advance` again, which comes to an end: promotion
//   happens once, and a direction taken back is settling, not drained.
// - `take_back` only shuts the gate. Whoever calls it calls `advance` afterwards, which waits for
//   the kernel's worker before it writes to the target.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "userspace/dataplane/connection_facts.h"
#include "userspace/dataplane/demotion.h"
#include "userspace/dataplane/kernel_path.h"
#include "userspace/dataplane/liveness_scan.h"
#include "userspace/dataplane/peer_watch.h"
#include "userspace/dataplane/pump.h"
#include "userspace/dataplane/recheck_timers.h"
#include "userspace/dataplane/relay.h"
#include "userspace/dataplane/standstill.h"
#include "userspace/dataplane/time_limit_scan.h"

namespace ambbpf {

class Connection;

// One of a connection's two sockets, as epoll knows it.
struct Leg {
  Connection* connection = nullptr;
  std::uint32_t index = 0;  // kClient or kBackend
  UniqueFd socket;
  std::uint64_t read_before = 0;     // by others: NewLeg
  std::uint64_t written_before = 0;  // …
  std::uint32_t armed = 0;           // the events epoll watches it for
  bool hung_up = false;              // its FIN or a reset has been announced
  bool has_fin = false;              // its FIN, and no error
  bool has_urgent = false;           // an urgent byte, at which a read ends
  PeerWatch peer{};
};

std::string_view name_of(const Leg& leg);  // "client", "backend"
// What an error of its socket says of the peer.
EndReason broken_by(const Leg& leg, std::error_code error);
// Without what others have moved through it.
std::optional<TcpCounts> counts_of(const Leg& leg);

// The bytes of one end on their way to the other.
struct Direction {
  enum class State : std::uint8_t {
    kUser,      // user space moves them
    kSettling,  // user space will, once the kernel has put all it was given into the target
    kKernel,    // the kernel program moves them
    kEnded,     // the end of stream has been passed on
  };

  static constexpr auto kNotDue = Clock::time_point::max();

  Connection* connection;
  std::uint32_t source;         // index of the end it comes from
  State state = State::kEnded;  // set_state() changes it; kUser from start() on
  bool unfinished = false;      // stands in RelayThread::unfinished
  Pump pump;
  Clock::time_point due = kNotDue;  // for a recheck
  Clock::duration recheck{};        // pause before the next look at an unsettled state

  // kSettling, or its source has ended: the backlog that has to become empty.
  Standstill backlog{};
  // Its source has ended, but the counts do not agree yet: the bytes that have arrived.
  Standstill doubt{};

  // kKernel.
  Clock::time_point handed_over_at{};
  std::uint64_t redirected_when_looked_at = 0;  // by DemotionWatch
  // The program took it back for want of room.
  struct Stay {
    Clock::duration length{};   // in user space, before the next try; 0: it never did
    Clock::time_point until{};  // of the present one, or the last
  };
  Stay stay{};
};

// What a direction's target was given, by us or by the program, and has not entered its send queue
// yet: the program hands segments to a worker of the kernel's.
struct Backlog {
  std::int64_t bytes = 0;       // negative: somebody else has written to the target
  bool target_is_idle = false;  // its send queue is empty
};

inline constexpr std::uint32_t kClient = 0;
inline constexpr std::uint32_t kBackend = 1;

// Changes a number that only this thread changes, while others may read it.
inline void count(std::uint64_t& number, std::int64_t more = 1) {
  std::atomic_ref(number).store(number + static_cast<std::uint64_t>(more),
                                std::memory_order_relaxed);
}

// What the connections of one thread share.
struct RelayThread {
  RelayThread(asio::io_context& io, const RelayOptions& given);

  void go_on_later(Direction& direction);  // once the others had their turn
  LivenessScan& scan_of(const KeepalivePolicy& keepalive);
  TimeLimitScan& time_scan_of(const TimeLimits& limits);
  void count_turn(int events);
  bool is_busy() const;
  bool has_few_connections() const;  // all threads together

  // Sockets outside the sockmap can be spliced in any engine but the one that is to copy.
  Pump::Method pump_method() const {
    return options.engine == Engine::kCopy ? Pump::Method::kCopy : Pump::Method::kSplice;
  }

  const RelayOptions options;
  asio::io_context& io;
  UniqueFd epoll;
  PumpTools tools;
  std::unique_ptr<KernelPath> kernel;  // null unless the engine is sockmap
  std::vector<Direction*> at_slot;     // whose direction starts at a slot; of those ever used
  RecheckTimers recheck_timers;
  DemotionWatch demotion;
  std::vector<Direction*> unfinished;  // to go on with
  double events_a_turn = 0;            // of late
  Clock::time_point last_turn{};
  RelayCounts counts;                   // changed by count() only; the program keeps its own
  std::mutex last_refusal_mutex;        // counts.last_refusal
  std::list<Connection> retired;        // closed in this turn, whose events may still name them
  std::list<TimeLimitScan> time_scans;  // one for each set of limits there was
  std::list<LivenessScan> scans;        // one for each keepalive policy there was; they own:
  std::unordered_map<ConnectionId, Connection*> connections;

 private:
  void go_on();
};

class Connection {
 public:
  Connection(RelayThread& thread, LivenessScan& scan, ConnectionId id,
             const ConnectionSettings& settings, NewLeg client, NewLeg backend,
             Relay::Finished finished);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Each of these may close the connection, which moves it to RelayThread::retired.
  void start(std::list<Connection>::iterator self);
  void on_ready(Leg& leg, std::uint32_t events);
  void look_at(Direction& direction);  // its date has come, or its turn
  void taken_back_by_kernel(Direction& direction);
  void demote();  // its gates are shut
  void reset(EndReason reason, std::error_code error);
  void reset_if_a_peer_has_vanished();
  bool reset_if_it_takes_too_long(TimeWatch& watch, Clock::time_point now);  // true: it was

  void limit_time(TimeLimitScan& scan);  // before start()

  bool was_busy_in_kernel();  // since it was last asked

  std::uint64_t group() const { return group_; }

  // For those who ask what it does (connection_facts.cpp).
  OpenConnection as_seen() const;
  ConnectionFacts facts() const;

 private:
  Leg& source_of(const Direction& direction) { return legs_[direction.source]; }
  Leg& target_of(const Direction& direction) { return legs_[1 - direction.source]; }
  Direction& other(const Direction& direction) { return directions_[1 - direction.source]; }
  flow* flow_of(const Direction& direction) const;
  std::uint64_t redirected(const Direction& direction) const;
  std::uint64_t moved(const Direction& direction) const {
    return direction.pump.written() + redirected(direction);
  }
  DirectionFacts facts_of(const Direction& direction) const;
  std::string_view why_in_user(const Direction& direction) const;
  std::string_view why_not_in_map(const Direction& direction) const;

  bool has_moved(TimeWatch& watch) const;

  void advance(Direction& direction);
  void note_first_byte(const Direction& direction);
  void set_state(Direction& direction, Direction::State state);
  Pump::Until how_far_to_read(const Leg& source) const;
  void look_again_soon(Direction& direction);
  void end_of_stream(Direction& direction);
  bool all_is_read(const Direction& direction);
  void pass_on_the_end(Direction& direction);
  Backlog backlog(const Direction& direction);
  void wait_for(const Backlog& waiting, Direction& direction);
  void give_up(const Direction& direction);
  void check_accounting();
  void report_mismatch(const Direction& direction);

  void consider_kernel(Direction& direction);
  bool has_earned_promotion() const;
  bool is_faster_in_kernel() const;
  void promote();
  void count_refusal(const std::string& why);
  bool drain_receive_queues();
  void flush_buffered_bytes();
  void open_gate(Direction& direction);
  void take_back(Direction& direction);

  void rearm();
  void watch(int operation, Leg& leg, std::uint32_t events);
  void break_off(const Leg& leg, std::error_code error) { reset(broken_by(leg, error), error); }
  void close(const ConnectionEnd& how);
  void retire();

  RelayThread& thread_;
  LivenessScan& scan_;
  const ConnectionId id_;
  const std::uint64_t group_;
  const void* const owner_;
  std::list<Connection>::iterator self_;
  TimeLimitScan* time_scan_ = nullptr;  // null: it may take as long as it likes
  std::list<TimeWatch>::iterator time_watch_{};
  std::array<Leg, 2> legs_;
  std::array<Direction, 2> directions_;
  std::optional<SlotPair> slots_;  // present: in the sockmap
  bool stays_in_user_ = false;     // the kernel refused it
  bool closed_ = false;
  const bool awaits_first_byte_;
  std::uint32_t turns_ = 0;
  std::uint64_t last_window_ = 0;  // of DemotionWatch
  Clock::time_point adopted_at_;
  decltype(ConnectionSettings::first_byte) first_byte_;  // null: it has come, or cannot be seen
  Relay::Finished finished_;
};

}  // namespace ambbpf
