// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/roll_call.h"

#include <cerrno>

#include "userspace/dataplane/connection.h"

namespace ambbpf {

namespace {

constexpr std::size_t kMostCalls = 64;  // some 0.2 ms

std::size_t parts(std::size_t whole, std::size_t part) { return (whole + part - 1) / part; }

}  // namespace

RollCallTurn roll_call_turn(std::size_t connections, Clock::duration round) {
  const auto turns = parts(connections, kMostCalls);
  return {.calls = parts(connections, turns), .pause = round / turns};
}

RollCall::RollCall(Plane& plane) : plane_(plane), timer_(plane.io) {}

void RollCall::begin() {
  if (goes_on_) return;
  goes_on_ = true;
  go_on_at(Clock::now() + plane_.options.patience.look_every());
}

// Who has been called goes to the end of the list.
void RollCall::call_some() {
  const auto begun = Clock::now();
  auto& all = plane_.connections;
  goes_on_ = !all.empty();
  if (!goes_on_) return;
  const auto turn = roll_call_turn(all.size(), plane_.options.patience.look_every());
  for (auto calls = turn.calls; calls > 0; --calls) {
    all.splice(all.end(), all, all.begin());
    all.back().reset_if_a_peer_has_vanished();
  }
  plane_.retired.clear();
  go_on_at(begun + turn.pause);
}

void RollCall::go_on_at(Clock::time_point due) {
  timer_.expires_at(due);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) call_some();
  });
}

void Connection::reset_if_a_peer_has_vanished() {
  for (auto& end : ends_) {
    if (!end.peer.sees_it_vanished(end.socket.get(), plane_.options.patience)) continue;
    ++plane_.counts.vanished;
    return reset(end.index == kClient ? "client has vanished" : "backend has vanished",
                 std::error_code(ETIMEDOUT, std::system_category()));
  }
}

}  // namespace ambbpf
