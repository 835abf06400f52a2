// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/relay.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <mutex>
#include <vector>

#include "userspace/dataplane/connection.h"

namespace ambbpf {

namespace {
constexpr int kEventsATurn = 256;

// Calls `act` with each number of `a` and the same one of `b`.
template <class A, class B, class Act>
void each_number(A& a, B& b, Act act) {
  act(a.connections_now, b.connections_now);
  act(a.connections_total, b.connections_total);
  act(a.in_map_now, b.in_map_now);
  act(a.directions_in_kernel_now, b.directions_in_kernel_now);
  act(a.directions_in_user_now, b.directions_in_user_now);
  act(a.to_backend.kernel_bytes, b.to_backend.kernel_bytes);
  act(a.to_backend.user_bytes, b.to_backend.user_bytes);
  act(a.to_client.kernel_bytes, b.to_client.kernel_bytes);
  act(a.to_client.user_bytes, b.to_client.user_bytes);
  act(a.promoted, b.promoted);
  act(a.demoted, b.demoted);
  act(a.handed_over, b.handed_over);
  act(a.taken_back, b.taken_back);
  act(a.refused_by_kernel, b.refused_by_kernel);
  act(a.resets, b.resets);
  act(a.vanished, b.vanished);
  act(a.mismatches, b.mismatches);
  act(a.lost_events, b.lost_events);
}
}  // namespace

RelayCounts& RelayCounts::operator+=(const RelayCounts& other) {
  each_number(*this, other, [](std::uint64_t& mine, std::uint64_t others) { mine += others; });
  if (!other.last_refusal.empty()) last_refusal = other.last_refusal;
  return *this;
}

Result<std::unique_ptr<Relay>> Relay::create(asio::io_context& io, const RelayOptions& options) {
  std::unique_ptr<Relay> relay(new Relay(io, options));
  if (const auto ready = relay->set_up(); !ready) return tl::unexpected(ready.error());
  return relay;
}

Relay::Relay(asio::io_context& io, const RelayOptions& options)
    : io_(io), thread_(std::make_unique<RelayThread>(io, options)) {}

Relay::~Relay() {
  if (epoll_watch_) epoll_watch_->release();  // the epoll set is the thread's
}

Result<void> Relay::set_up() {
  thread_->epoll = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (!thread_->epoll) return fail_errno("create an epoll set");

  if (thread_->options.engine == Engine::kSockmap) {
    const auto taken_back = [thread = thread_.get()](Slot slot) {
      if (Direction* direction = thread->at_slot[slot])
        direction->connection->taken_back_by_kernel(*direction);
    };
    auto kernel =
        KernelPath::load(thread_->options.slots, thread_->options.event_ring_bytes, taken_back);
    if (!kernel) return tl::unexpected(kernel.error());
    thread_->kernel = std::move(*kernel);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
    if (::epoll_ctl(thread_->epoll.get(), EPOLL_CTL_ADD, thread_->kernel->event_fd(), &event) != 0)
      return fail_errno("watch the ring buffer taken_back");
  }
  epoll_watch_ = std::make_unique<asio::posix::stream_descriptor>(io_, thread_->epoll.get());
  wait_for_events();
  return {};
}

ConnectionId Relay::adopt(NewLeg client, NewLeg backend, const ConnectionSettings& settings,
                          Finished finished) {
  const ConnectionId id = thread_->counts.connections_total + 1;
  count(thread_->counts.connections_total);
  count(thread_->counts.connections_now);
  LivenessScan& scan = thread_->scan_of(settings.keepalive);
  auto& connections = scan.connections;
  connections.emplace_back(*thread_, scan, id, settings, std::move(client), std::move(backend),
                           std::move(finished));
  const auto self = std::prev(connections.end());
  thread_->connections.emplace(id, &*self);
  if (settings.limits.any()) self->limit_time(thread_->time_scan_of(settings.limits));
  self->start(self);
  scan.begin();
  thread_->demotion.begin();
  return id;
}

void Relay::wait_for_events() {
  epoll_watch_->async_wait(asio::posix::stream_descriptor::wait_read,
                           [this](boost::system::error_code error) {
                             if (!error) turn();
                           });
}

void Relay::turn() {
  serve_events();
  look_at_all_when_events_were_lost();
  wait_for_events();
}

void Relay::serve_events() {
  std::array<epoll_event, kEventsATurn> events;
  const int count = ::epoll_wait(thread_->epoll.get(), events.data(), kEventsATurn, 0);
  thread_->count_turn(count);
  for (int i = 0; i < count; ++i) {
    auto* leg = static_cast<Leg*>(events[static_cast<std::size_t>(i)].data.ptr);
    if (leg)
      leg->connection->on_ready(*leg, events[static_cast<std::size_t>(i)].events);
    else
      thread_->kernel->read_events();
  }
}

void Relay::look_at_all_when_events_were_lost() {
  if (!thread_->kernel || thread_->kernel->lost_events() == lost_events_seen_) return;
  lost_events_seen_ = thread_->kernel->lost_events();
  for (Direction* direction : thread_->at_slot)
    if (direction) direction->connection->taken_back_by_kernel(*direction);
}

bool Relay::end(ConnectionId id, EndReason reason) {
  const auto found = thread_->connections.find(id);
  if (found == thread_->connections.end()) return false;
  found->second->reset(reason, {});
  return true;
}

// Those of now: a callback may adopt others, or end some of these.
std::size_t Relay::end_group(std::uint64_t group, EndReason reason) {
  std::vector<ConnectionId> ids;
  for (const auto& [id, connection] : thread_->connections)
    if (connection->group() == group) ids.push_back(id);
  return static_cast<std::size_t>(
      std::count_if(ids.begin(), ids.end(), [&](ConnectionId id) { return end(id, reason); }));
}

void Relay::end_all(EndReason reason) {
  while (!thread_->connections.empty()) thread_->connections.begin()->second->reset(reason, {});
}

Relay::Walked Relay::walk(ConnectionWalk& at, const See& see) const {
  constexpr std::size_t kBucketsATurn = 256;  // each has one connection at most, on average
  const auto& all = thread_->connections;
  if (at.next > 0 && at.buckets != all.bucket_count()) {
    at = {};
    return Walked::kAnew;
  }
  at.buckets = all.bucket_count();
  const auto end = std::min(at.next + kBucketsATurn, at.buckets);
  for (; at.next < end; ++at.next)
    for (auto each = all.begin(at.next); each != all.end(at.next); ++each)
      see(each->second->as_seen());
  return at.next == at.buckets ? Walked::kAll : Walked::kSome;
}

std::optional<ConnectionFacts> Relay::facts_of(ConnectionId id) const {
  const auto found = thread_->connections.find(id);
  if (found == thread_->connections.end()) return std::nullopt;
  return found->second->facts();
}

RelayCounts Relay::counts() const {
  RelayCounts counts;
  each_number(counts, thread_->counts, [](std::uint64_t& copy, std::uint64_t& kept) {
    copy = std::atomic_ref(kept).load(std::memory_order_relaxed);
  });
  {
    const std::lock_guard lock(thread_->last_refusal_mutex);
    counts.last_refusal = thread_->counts.last_refusal;
  }
  if (thread_->kernel) {
    counts.to_backend.kernel_bytes = thread_->kernel->redirected_to_backends();
    counts.to_client.kernel_bytes = thread_->kernel->redirected_to_clients();
    counts.lost_events = thread_->kernel->lost_events();
  }
  return counts;
}

}  // namespace ambbpf
