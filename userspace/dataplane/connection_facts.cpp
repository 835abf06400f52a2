// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/connection_facts.h"

#include <sys/socket.h>

#include <algorithm>

#include "userspace/dataplane/connection.h"
#include "userspace/dataplane/tcp_info.h"

namespace ambbpf {

namespace {

LegFacts facts_of_leg(const Leg& leg) {
  const auto [round_trip, retransmits] = path_figures(leg.socket.get());
  LegFacts facts{.peer = {}, .round_trip = round_trip, .retransmits = retransmits};
  tcp::endpoint peer;
  auto size = static_cast<socklen_t>(peer.capacity());
  if (::getpeername(leg.socket.get(), peer.data(), &size) == 0) facts.peer = peer;
  return facts;
}

}  // namespace

OpenConnection Connection::as_seen() const {
  const auto in_kernel =
      std::ranges::count(directions_, Direction::State::kKernel, &Direction::state);
  return {.id = id_,
          .owner = owner_,
          .since = adopted_at_,
          .bytes_to_backend = moved(directions_[kClient]),
          .bytes_to_client = moved(directions_[kBackend]),
          .directions_in_kernel = static_cast<unsigned>(in_kernel)};
}

ConnectionFacts Connection::facts() const {
  return {.connection = as_seen(),
          .to_backend = facts_of(directions_[kClient]),
          .to_client = facts_of(directions_[kBackend]),
          .client = facts_of_leg(legs_[kClient]),
          .backend = facts_of_leg(legs_[kBackend])};
}

DirectionFacts Connection::facts_of(const Direction& direction) const {
  const auto in_user = direction.pump.would_splice() ? Mover::kSplice : Mover::kCopy;
  switch (direction.state) {
    case Direction::State::kKernel:
      return {.by = Mover::kKernel, .why = {}, .since = direction.handed_over_at};
    case Direction::State::kEnded:
      return {.by = Mover::kNobody, .why = "ended"};
    case Direction::State::kSettling:
      return {.by = in_user, .why = "bytes under way"};
    case Direction::State::kUser:
      return {.by = in_user, .why = why_in_user(direction)};
  }
  return {};
}

// In the order in which consider_kernel() asks.
std::string_view Connection::why_in_user(const Direction& direction) const {
  if (!thread_.kernel) {
    if (thread_.options.engine == Engine::kCopy) return "engine copy";
    return direction.pump.would_splice() ? "engine splice" : "small reads";
  }
  if (stays_in_user_) return "kernel refused it";
  if (direction.pump.has_buffered_bytes()) return "receiver is slow";
  if (!slots_) return why_not_in_map(direction);
  if (Clock::now() < direction.stay.until) return "receiver was slow";
  return thread_.demotion.keeps_gates_shut() ? thread_.demotion.why_shut() : "bytes under way";
}

std::string_view Connection::why_not_in_map(const Direction& direction) const {
  const auto& opposite = directions_[1 - direction.source];
  const auto& wanted = thread_.options.promotion;
  if (opposite.pump.has_buffered_bytes()) return "receiver is slow";
  if (opposite.state == Direction::State::kEnded) return "one side has ended";
  if (wanted.only_where_faster && !is_faster_in_kernel())
    return direction.pump.reads_in_bulk() || opposite.pump.reads_in_bulk() ? "large reads"
                                                                           : "many are busy";
  return has_earned_promotion() ? "due for the kernel" : "young";
}

}  // namespace ambbpf
