// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/peer_watch.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

// For a peer that lives and takes nothing: then the kernel ends the connection (RFC 5482).
constexpr std::chrono::milliseconds kTakesNothing = 5min;

// None of them is refused: all are older than the kernels we run on, and the values in range.
void set(int socket, int level, int name, int value) {
  ::setsockopt(socket, level, name, &value, sizeof value);
}

int whole_seconds(std::chrono::milliseconds time) {
  return std::max(1, static_cast<int>(time / 1s));  // the kernel's least
}

// An idle connection has something to answer as well.
void keep_alive(int socket, const Patience& patience) {
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, whole_seconds(patience.ask_idle_after()));
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, whole_seconds(patience.ask_again_after()));
  set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(kTakesNothing.count()));
}

// While bytes wait the kernel sends no keepalives, but repeats bytes, or asks whether the window is
// still closed, after pauses that double up to two minutes. Refused before Linux 6.15.
void ask_often(int socket, const Patience& patience) {
  constexpr int kRtoMaxMs = 44;  // TCP_RTO_MAX_MS, linux/tcp.h
  const auto pause = std::max<std::chrono::milliseconds>(patience.ask_waiting_every(), 1s);
  set(socket, IPPROTO_TCP, kRtoMaxMs, static_cast<int>(pause.count()));
}

}  // namespace

bool Silence::is_for_good(const LifeSigns& signs, Clock::time_point now, const Patience& patience) {
  // The kernel counts in its own ticks, and `now` may be a little older than the signs: in doubt
  // the peer was heard after the question.
  const auto doubt = patience.longest / 30;
  const bool heard_since = now - signs.heard_ago > unanswered_since_ - doubt;
  if (heard_since) unanswered_since_ = signs.awaits_answer ? now : Clock::time_point{};
  if (unanswered_since_ == Clock::time_point{}) return false;
  return signs.heard_ago >= patience.longest &&
         now - unanswered_since_ >= patience.time_to_answer();
}

bool PeerWatch::sees_it_vanished(int socket, const Patience& patience) {
  if (!kept_alive_) keep_alive(socket, patience);
  kept_alive_ = true;
  const auto now = Clock::now();
  const auto signs = life_signs(socket);
  if (!signs) return false;
  if (signs->backs_off && !asks_often_) {
    ask_often(socket, patience);
    asks_often_ = true;
  }
  return silence_.is_for_good(*signs, now, patience);
}

}  // namespace ambbpf
