// SPDX-License-Identifier: Apache-2.0
// The end of a connection: whether its books agree, a reset, and what it leaves.
#include <array>
#include <utility>

#include "userspace/dataplane/connection.h"
#include "userspace/support/close_socket.h"
#include "userspace/support/log.h"

namespace ambbpf {

// Byte conservation: what each side sent is what entered the other one. Both directions have ended.
void Connection::check_accounting() {
  const std::array counts{counts_of(legs_[kClient]), counts_of(legs_[kBackend])};
  for (const auto& direction : directions_) {
    const auto& source = counts[direction.source];
    const auto& target = counts[1 - direction.source];
    const auto by_kernel = redirected(direction);
    const bool all_read = !source || source->received == direction.pump.read() + by_kernel + 1;
    // A reset leaves what was not sent yet uncounted.
    const bool cut_off = target && target->closed && (by_kernel > 0 || !target->queue_empty);
    const bool all_written =
        !target || cut_off || target->entered == direction.pump.written() + by_kernel;
    if (!all_read || !all_written) report_mismatch(direction);
  }
}

void Connection::report_mismatch(const Direction& direction) {
  count(thread_.counts.mismatches);
  log::error(
      "{} at its end of stream: {} bytes read, {} redirected, {} written do not agree with the "
      "sockets' own counts",
      name_of(legs_[direction.source]), direction.pump.read(), redirected(direction),
      direction.pump.written());
}

void Connection::reset(EndReason reason, std::error_code error) {
  if (closed_) return;
  count(thread_.counts.resets);
  if (reason == EndReason::kClientVanished || reason == EndReason::kBackendVanished)
    count(thread_.counts.vanished);
  for (const auto& direction : directions_)
    if (flow* flow = flow_of(direction)) store_shared(flow->gate, 0U);
  for (auto& leg : legs_) close_with_reset(std::move(leg.socket));
  close(ConnectionEnd{.reason = reason, .error = error});
}

void Connection::close(const ConnectionEnd& how) {
  closed_ = true;
  ConnectionEnd end = how;
  end.bytes_to_backend = moved(directions_[kClient]);
  end.bytes_to_client = moved(directions_[kBackend]);
  end.kernel_bytes = redirected(directions_[kClient]) + redirected(directions_[kBackend]);
  for (auto& leg : legs_) leg.socket = UniqueFd();
  if (time_scan_) time_scan_->remove(time_watch_);
  if (slots_) {
    thread_.at_slot[slots_->client] = thread_.at_slot[slots_->backend] = nullptr;
    thread_.kernel->leave(*slots_);
    slots_.reset();
    count(thread_.counts.in_map_now, -1);
  }
  for (auto& direction : directions_) {
    set_state(direction, Direction::State::kEnded);
    thread_.recheck_timers.cancel(direction);
    if (direction.unfinished) std::erase(thread_.unfinished, &direction);
  }
  count(thread_.counts.connections_now, -1);
  retire();
  if (finished_) std::exchange(finished_, nullptr)(end);
}

// After the present turn of the event loop, whose events may still name it, it goes.
void Connection::retire() {
  auto& retired = thread_.retired;
  if (retired.empty()) asio::post(thread_.io, [&retired] { retired.clear(); });
  retired.splice(retired.end(), scan_.connections, self_);
  thread_.connections.erase(id_);
}

}  // namespace ambbpf
