// SPDX-License-Identifier: Apache-2.0
// Inside the data plane: one connection, and what all connections of a thread share.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <vector>

#include "userspace/dataplane/kernel_path.h"
#include "userspace/dataplane/peer_watch.h"
#include "userspace/dataplane/pump.h"
#include "userspace/dataplane/recheck_timers.h"
#include "userspace/dataplane/relay.h"

namespace ambbpf {

class Connection;

// One of a connection's two sockets, as epoll knows it.
struct Leg {
  Connection* connection = nullptr;
  std::size_t index = 0;  // kClient or kBackend
  UniqueFd socket;
  std::uint32_t armed = 0;  // the events epoll watches it for
  bool hung_up = false;     // its FIN or a reset has been announced
  bool has_fin = false;     // its FIN, and no error
  bool has_urgent = false;  // an urgent byte, at which a read ends
  PeerWatch peer{};
};

std::string_view name_of(const Leg& leg);  // "client", "backend"

// The bytes of one end on their way to the other.
struct Direction {
  enum class State {
    kUser,      // user space moves them
    kSettling,  // user space will, once the kernel has put all it was given into the target
    kKernel,    // the kernel program moves them
    kEnded,     // the end of stream has been passed on
  };

  Connection* connection;
  std::size_t source;  // index of the end it comes from
  Pump pump;
  State state = State::kUser;
  bool unfinished = false;                 // stands in RelayThread::unfinished
  std::optional<Clock::time_point> due{};  // when it is due for a recheck
  Clock::duration recheck{};               // pause before the next look at an unsettled state
  Clock::time_point doubted_since{};       // when its end of stream was first not believed
  std::int64_t waited_for = 0;             // the backlog's bytes
  Clock::time_point waits_since{};         // … since when they and an idle target stand still
  Clock::time_point handed_over_at{};
  Clock::duration stay{};  // pause in user space after being taken back
  Clock::time_point stay_until{};
};

// What a direction's target was given, by us or by the program, and has not entered its send queue
// yet: the program hands segments to a worker of the kernel's.
struct Backlog {
  std::int64_t bytes = 0;       // negative: somebody else has written to the target
  bool target_is_idle = false;  // its send queue is empty
};

inline constexpr std::size_t kClient = 0;
inline constexpr std::size_t kBackend = 1;

// What the connections of one thread share.
struct RelayThread {
  RelayThread(asio::io_context& io, const RelayOptions& given);

  void go_on_later(Direction& direction);  // once the others had their turn
  void count_turn(int events);
  bool is_busy() const;
  bool has_few_connections() const;

  // Sockets outside the sockmap can be spliced in any engine but the one that is to copy.
  Pump::Method pump_method() const {
    return options.engine == Engine::kCopy ? Pump::Method::kCopy : Pump::Method::kSplice;
  }

  const RelayOptions options;
  asio::io_context& io;
  UniqueFd epoll;
  PumpTools tools;
  std::unique_ptr<KernelPath> kernel;  // null unless the engine is sockmap
  std::vector<Direction*> at_slot;     // whose direction starts at a slot
  RecheckTimers recheck_timers;
  std::vector<Direction*> unfinished;  // to go on with
  double events_a_turn = 0;            // of late
  Clock::time_point last_turn{};
  RelayCounts counts;             // the totals; what is "now" is counted when asked for
  std::list<Connection> retired;  // closed in this turn: events may still name them
  std::list<Connection> connections;

 private:
  void go_on();
};

class Connection {
 public:
  Connection(RelayThread& thread, UniqueFd client, UniqueFd backend, Relay::Finished finished);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Each of these may close the connection, which moves it to RelayThread::retired.
  void start(std::list<Connection>::iterator self);
  void on_ready(Leg& leg, std::uint32_t events);
  void look_at(Direction& direction);  // its date has come, or its turn
  void taken_back_by_kernel(Direction& direction);
  void reset(std::string_view reason, std::error_code error);
  void reset_if_a_peer_has_vanished();

  void add_to(RelayCounts& counts) const;

 private:
  Leg& source_of(const Direction& direction) { return legs_[direction.source]; }
  Leg& target_of(const Direction& direction) { return legs_[1 - direction.source]; }
  Direction& other(const Direction& direction) { return directions_[1 - direction.source]; }
  flow* flow_of(const Direction& direction) const;
  std::uint64_t redirected(const Direction& direction) const;

  void advance(Direction& direction);
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
  bool drain_receive_queues();
  void flush_buffered_bytes();
  void open_gate(Direction& direction);
  void take_back(Direction& direction);

  void rearm();
  void watch(int operation, Leg& leg, std::uint32_t events);
  void close(const ConnectionEnd& how);

  RelayThread& thread_;
  std::list<Connection>::iterator self_;
  std::array<Leg, 2> legs_;
  std::array<Direction, 2> directions_;
  std::optional<SlotPair> slots_;  // present: in the sockmap
  bool stays_in_user_ = false;     // the kernel refused it
  bool closed_ = false;
  std::uint32_t turns_ = 0;
  Clock::time_point adopted_at_;
  Relay::Finished finished_;
};

}  // namespace ambbpf
