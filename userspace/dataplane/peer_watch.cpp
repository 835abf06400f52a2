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
void keep_alive(int socket, const KeepalivePolicy& keepalive) {
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, whole_seconds(keepalive.ask_after()));
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, whole_seconds(keepalive.ask_again_after()));
  set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(kTakesNothing.count()));
}

// Sends a segment that ends before the peer's window, which every living peer answers, also one
// that has no memory for bytes (RFC 9293, 3.10.7.4). The kernel does so at the end of a repair,
// whether one was begun or not, on an established connection (tcp_send_window_probe()), and takes
// back SO_REUSEADDR, without which a later listener could not have the port. False without
// CAP_NET_ADMIN.
bool send_window_probe(int socket) {
  int reuses_address = 0;
  socklen_t size = sizeof reuses_address;
  ::getsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &reuses_address, &size);
  const int off = TCP_REPAIR_OFF;
  if (::setsockopt(socket, IPPROTO_TCP, TCP_REPAIR, &off, sizeof off) != 0) return false;
  set(socket, SOL_SOCKET, SO_REUSEADDR, reuses_address);
  return true;
}

// The kernel repeats the bytes that wait, or asks whether the window is still closed, after pauses
// that double up to two minutes. So it is asked for where we cannot ask, and takes up again sooner
// what a peer has room for again. Refused before Linux 6.15.
void let_the_kernel_ask_often(int socket, const KeepalivePolicy& keepalive) {
  constexpr int kRtoMaxMs = 44;  // TCP_RTO_MAX_MS, linux/tcp.h
  const auto pause = std::max<std::chrono::milliseconds>(keepalive.ask_waiting_every(), 1s);
  set(socket, IPPROTO_TCP, kRtoMaxMs, static_cast<int>(pause.count()));
}

// An idle peer has the kernel's keepalives to answer.
bool awaits_answer(int socket, const LifeSigns& signs, const KeepalivePolicy& keepalive) {
  if (!signs.bytes_wait) return signs.awaits_answer;
  if (signs.heard_ago < keepalive.ask_after()) return false;
  return (signs.is_established && send_window_probe(socket)) || signs.awaits_answer;
}

}  // namespace

bool Silence::is_for_good(std::chrono::milliseconds heard_ago, bool awaits_answer,
                          Clock::time_point now, const KeepalivePolicy& keepalive) {
  // The kernel counts in its own ticks, and `now` may be a little older than the signs: in doubt
  // the peer was heard after the question.
  const auto doubt = keepalive.longest / 30;
  const bool heard_since = now - heard_ago > unanswered_since_ - doubt;
  if (heard_since) unanswered_since_ = awaits_answer ? now : Clock::time_point{};
  if (unanswered_since_ == Clock::time_point{}) return false;
  return heard_ago >= keepalive.longest && now - unanswered_since_ >= keepalive.time_to_answer();
}

bool PeerWatch::sees_it_vanished(int socket, const KeepalivePolicy& keepalive) {
  if (!kept_alive_) keep_alive(socket, keepalive);
  kept_alive_ = true;
  const auto now = Clock::now();
  const auto signs = life_signs(socket);
  if (!signs) return false;
  if (signs->backs_off && !asks_often_) {
    let_the_kernel_ask_often(socket, keepalive);
    asks_often_ = true;
  }
  return silence_.is_for_good(signs->heard_ago, awaits_answer(socket, *signs, keepalive), now,
                              keepalive);
}

}  // namespace ambbpf
