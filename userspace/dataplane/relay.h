// SPDX-License-Identifier: Apache-2.0
// The data plane of one thread: moves the bytes of connected pairs of sockets until both have
// ended.
#pragma once

#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>

#include "userspace/dataplane/end_reason.h"
#include "userspace/dataplane/engine.h"
#include "userspace/dataplane/path_trial.h"
#include "userspace/dataplane/peer_watch.h"
#include "userspace/dataplane/time_limits.h"
#include "userspace/support/asio.h"
#include "userspace/support/histogram.h"
#include "userspace/support/result.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

// The sockmap engine serves a new connection in user space, as plain sockets, until it has shown
// that it lives: by turns, times that either side had something to say, or by age, whichever comes
// first. It also stays there while that is the faster way (PERFORMANCE.md): as long as its
// reads are large, and where a thread has many events to serve in each of its turns. Turns count
// only where the threads have few connections.
struct Promotion {
  std::uint32_t turns = 32;
  std::chrono::milliseconds age{500};
  bool only_where_faster = true;
};

// What all threads of a process have together: threads that decided each for itself would have the
// kernel's worker and user space compete, which is slower than either.
struct AllThreads {
  std::atomic<std::size_t> threads{0};
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> busy{0};  // connections, where they move enough to be counted

  // What the threads have said at their last looks: sums of whole numbers.
  std::atomic<std::uint64_t> turns_per_second{0};
  std::atomic<std::uint64_t> bytes_per_second{0};
  // The thread that comes first samples for all.
  std::mutex trial_mutex;
  PathTrial trial;
  Clock::time_point sampled_at{};
  std::atomic<bool> user_is_to_move{false};  // as the trial has it
};

// Connections of the sockmap engine are served in user space while more than so many for each
// thread are busy at once.
struct Demotion {
  std::uint32_t connections = 8;
  std::uint32_t turns_per_second = 20000;  // and so many reads and redirected segments, of all
  std::chrono::milliseconds calm{1000};  // they return when for so long no more than half were busy
  // Also while fewer of them move more that way, which is tried now and then (PathTrial).
  bool tries_both = false;
  std::uint32_t hot_turns_per_second = 2000;  // of all threads: less is no trial worth
};

struct RelayOptions {
  Engine engine = Engine::kSockmap;
  Promotion promotion;
  Demotion demotion{};
  std::shared_ptr<AllThreads> all = std::make_shared<AllThreads>();  // that decide together
  std::uint32_t slots = 65536;           // sockmap: two for each connection; one thread's share
  std::uint32_t event_ring_bytes = 0;    // sockmap: a power of two, of pages; 0: room for all slots
  int pipes_below = kNoDescriptorLimit;  // of the pipes to splice through; past it, it is copied
};

// A connected, non-blocking socket, and what others have moved through it since it was connected: a
// PROXY header, or all that it did before it was adopted. Bytes that wait in its receive queue have
// not been read, those that wait in its send queue have been written; no FIN counts.
struct NewLeg {
  UniqueFd socket;
  std::uint64_t read_before = 0;
  std::uint64_t written_before = 0;
};

// Of one connection.
struct ConnectionSettings {
  KeepalivePolicy keepalive{};
  std::uint64_t group = 0;  // whatever the caller wants to end together, as those of one backend
  // What the caller knows of it, for those who look at it; lives until it has been called back.
  const void* owner = nullptr;
  // Told how long after its adoption the backend's first byte was there, unless the connection was
  // in the sockmap by then; null: nobody asks.
  void (*first_byte)(const void* owner, Clock::duration after) = nullptr;
  // It is not put into the sockmap before it has told that, for 5 s at most.
  bool awaits_first_byte = false;
  TimeLimits limits{};
};

using ConnectionId = std::uint64_t;  // in its relay; never 0, never used again

// What became of a connection.
struct ConnectionEnd {
  std::uint64_t bytes_to_backend = 0;
  std::uint64_t bytes_to_client = 0;
  std::uint64_t kernel_bytes = 0;  // of both, those that the kernel program moved
  EndReason reason = EndReason::kFinished;
  bool backend_was_first = false;  // kFinished: its stream ended before the client's
  std::error_code error;           // what the socket said, where it said something
};

struct DirectionCounts {
  std::uint64_t kernel_bytes = 0;  // moved by the kernel program
  std::uint64_t user_bytes = 0;
};

struct RelayCounts {
  std::uint64_t connections_now = 0;
  std::uint64_t connections_total = 0;
  std::uint64_t in_map_now = 0;  // connections in the sockmap
  std::uint64_t directions_in_kernel_now = 0;
  std::uint64_t directions_in_user_now = 0;
  DirectionCounts to_backend;
  DirectionCounts to_client;
  std::uint64_t promoted = 0;           // connections put into the sockmap
  std::uint64_t demoted = 0;            // … and served in user space again, as many were busy
  std::uint64_t handed_over = 0;        // directions given to the kernel program
  std::uint64_t taken_back = 0;         // … and taken back
  std::uint64_t refused_by_kernel = 0;  // connections that had to stay in user space
  std::string last_refusal;
  std::uint64_t resets = 0;
  std::uint64_t vanished = 0;    // … because of a peer that was heard no more
  std::uint64_t mismatches = 0;  // bytes received and bytes sent on did not agree
  std::uint64_t lost_events = 0;

  RelayCounts& operator+=(const RelayCounts& other);
};

struct RelayThread;
struct OpenConnection;
struct ConnectionFacts;

// How far a walk over the connections has come.
struct ConnectionWalk {
  std::size_t next = 0;     // bucket of the table of connections
  std::size_t buckets = 0;  // which it had
};

// Runs on one thread, the one that runs `io`. The process must ignore SIGPIPE: splice(2) cannot be
// told not to raise it.
class Relay {
 public:
  using Finished = std::function<void(const ConnectionEnd&)>;

  // Fails where the kernel refuses the engine.
  static Result<std::unique_ptr<Relay>> create(asio::io_context& io, const RelayOptions& options);
  ~Relay();  // closes what is left, without calling back
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // Takes both sockets; calls back once, when they have been closed, which may be before this
  // returns. A half-close is passed on after every earlier byte; a reset of either side resets the
  // other, and so does a peer that has vanished (peer_watch.h).
  ConnectionId adopt(NewLeg client, NewLeg backend, const ConnectionSettings& settings,
                     Finished finished);

  // Ends with a reset of both sides. `reason` is handed to the callback only.
  bool end(ConnectionId id, EndReason reason);                   // false: it has ended
  std::size_t end_group(std::uint64_t group, EndReason reason);  // how many; looks at all
  void end_all(EndReason reason);
  // Any thread may call it, at any time while the relay exists. It looks at no connection.
  RelayCounts counts() const;

  // Looks at the next of all connections, some 256 at most, without a system call, so that a walk
  // takes many turns and holds up nobody. Those that come or end meanwhile may be seen or not.
  enum class Walked { kSome, kAll, kAnew };  // kAnew: the table has grown, what was seen is void
  using See = std::function<void(const OpenConnection&)>;
  Walked walk(ConnectionWalk& at, const See& see) const;
  // Empty: it has ended. Some six system calls.
  std::optional<ConnectionFacts> facts_of(ConnectionId id) const;

 private:
  explicit Relay(asio::io_context& io, const RelayOptions& options);
  Result<void> set_up();
  void wait_for_events();
  void turn();
  void serve_events();
  void look_at_all_when_events_were_lost();

  asio::io_context& io_;
  std::unique_ptr<RelayThread> thread_;
  std::unique_ptr<asio::posix::stream_descriptor> epoll_watch_;
  std::uint64_t lost_events_seen_ = 0;
};

}  // namespace ambbpf
