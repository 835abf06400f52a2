// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/liveness_scan.h"

#include <cerrno>

#include "userspace/dataplane/connection.h"

namespace ambbpf {

namespace {

std::size_t parts(std::size_t whole, std::size_t part) { return (whole + part - 1) / part; }

}  // namespace

LivenessScanStep liveness_scan_step(std::size_t connections, Clock::duration round,
                                    std::size_t most) {
  const auto turns = parts(connections, most);
  return {.checks = parts(connections, turns), .pause = round / turns};
}

LivenessScan::LivenessScan(asio::io_context& io, const KeepalivePolicy& its_keepalive)
    : keepalive(its_keepalive), timer_(io) {}

LivenessScan::~LivenessScan() = default;

void LivenessScan::begin() {
  if (goes_on_) return;
  goes_on_ = true;
  go_on_at(Clock::now() + keepalive.look_every());
}

// What has been checked goes to the end of the list.
void LivenessScan::check_some() {
  const auto begun = Clock::now();
  auto& all = connections;
  goes_on_ = !all.empty();
  if (!goes_on_) return;
  const auto turn = liveness_scan_step(all.size(), keepalive.look_every());
  for (auto checks = turn.checks; checks > 0 && !all.empty(); --checks) {
    all.splice(all.end(), all, all.begin());
    all.back().reset_if_a_peer_has_vanished();
  }
  go_on_at(begun + turn.pause);
}

void LivenessScan::go_on_at(Clock::time_point due) {
  timer_.expires_at(due);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) check_some();
  });
}

void Connection::reset_if_a_peer_has_vanished() {
  for (auto& leg : legs_) {
    if (!leg.peer.sees_it_vanished(leg.socket.get(), scan_.keepalive)) continue;
    return break_off(leg, std::error_code(ETIMEDOUT, std::system_category()));
  }
}

}  // namespace ambbpf
