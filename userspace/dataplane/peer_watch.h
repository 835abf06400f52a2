// SPDX-License-Identifier: Apache-2.0
// Whether the peer of a socket still lives. One whose machine has vanished sends neither a FIN nor
// a reset: all there is to see is that it leaves unanswered what it would have to answer.
#pragma once

#include <chrono>

#include "userspace/dataplane/tcp_info.h"
#include "userspace/support/asio.h"

namespace ambbpf {

// For how long a peer may be silent, and what follows from that. The longest silence is made of
// what passes until the kernel asks, until a look sees that it has asked, and of time to answer.
struct KeepalivePolicy {
  std::chrono::milliseconds longest{30'000};

  bool operator==(const KeepalivePolicy&) const = default;

  // Two segments per socket and 10 s are little; a lost one is made good by those that follow it
  // more quickly.
  std::chrono::milliseconds ask_after() const { return longest / 3; }
  std::chrono::milliseconds ask_again_after() const { return longest / 10; }
  // The kernel, where bytes wait. Not more often: when it repeats bytes to a closed window it gives
  // up after twice as long a silence.
  std::chrono::milliseconds ask_waiting_every() const { return longest / 4; }

  std::chrono::milliseconds look_every() const { return longest / 6; }
  std::chrono::milliseconds time_to_answer() const { return longest / 3; }
};

// A silence from one look at the socket to the next. Silent alone says nothing: a living peer may
// have nothing to answer, as one with a closed window, which older kernels ask every two minutes
// only. Nor does a question that is out: it may be of this very moment. What counts is a question
// that one look saw, and nothing heard since, up to a much later look.
class Silence {
 public:
  bool is_for_good(std::chrono::milliseconds heard_ago, bool awaits_answer, Clock::time_point now,
                   const KeepalivePolicy& keepalive);

 private:
  Clock::time_point unanswered_since_{};  // the look that first saw it; the epoch: none did
};

// Of one socket. Its options for a long life are set by the first look, not when it connects: most
// connections are over before.
class PeerWatch {
 public:
  bool sees_it_vanished(int socket, const KeepalivePolicy& keepalive);

 private:
  Silence silence_;
  bool kept_alive_ = false;
  bool asks_often_ = false;
};

}  // namespace ambbpf
