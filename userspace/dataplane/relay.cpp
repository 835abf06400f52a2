// SPDX-License-Identifier: Apache-2.0
#include "userspace/dataplane/relay.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <vector>

#include "userspace/dataplane/connection.h"

namespace ambbpf {

namespace {
constexpr int kEventsATurn = 256;
}

RelayCounts& RelayCounts::operator+=(const RelayCounts& other) {
  connections_now += other.connections_now;
  connections_total += other.connections_total;
  in_map_now += other.in_map_now;
  directions_in_kernel_now += other.directions_in_kernel_now;
  directions_in_user_now += other.directions_in_user_now;
  to_backend.kernel_bytes += other.to_backend.kernel_bytes;
  to_backend.user_bytes += other.to_backend.user_bytes;
  to_client.kernel_bytes += other.to_client.kernel_bytes;
  to_client.user_bytes += other.to_client.user_bytes;
  promoted += other.promoted;
  handed_over += other.handed_over;
  taken_back += other.taken_back;
  refused_by_kernel += other.refused_by_kernel;
  if (!other.last_refusal.empty()) last_refusal = other.last_refusal;
  resets += other.resets;
  vanished += other.vanished;
  mismatches += other.mismatches;
  lost_events += other.lost_events;
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
    thread_->at_slot.resize(thread_->options.slots);
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
  const ConnectionId id = ++thread_->counts.connections_total;
  LivenessScan& scan = thread_->scan_of(settings.keepalive);
  auto& connections = scan.connections;
  connections.emplace_back(*thread_, scan, id, settings.group, std::move(client),
                           std::move(backend), std::move(finished));
  const auto self = std::prev(connections.end());
  thread_->connections.emplace(id, &*self);
  self->start(self);
  scan.begin();
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

bool Relay::end(ConnectionId id, std::string_view reason) {
  const auto found = thread_->connections.find(id);
  if (found == thread_->connections.end()) return false;
  found->second->reset(reason, {});
  return true;
}

// Those of now: a callback may adopt others, or end some of these.
std::size_t Relay::end_group(std::uint64_t group, std::string_view reason) {
  std::vector<ConnectionId> ids;
  for (const auto& [id, connection] : thread_->connections)
    if (connection->group() == group) ids.push_back(id);
  return static_cast<std::size_t>(
      std::count_if(ids.begin(), ids.end(), [&](ConnectionId id) { return end(id, reason); }));
}

void Relay::end_all(std::string_view reason) {
  while (!thread_->connections.empty()) thread_->connections.begin()->second->reset(reason, {});
}

RelayCounts Relay::counts() const {
  RelayCounts counts = thread_->counts;
  counts.connections_now = thread_->connections.size();
  if (thread_->kernel) counts.lost_events = thread_->kernel->lost_events();
  for (const auto& [id, connection] : thread_->connections) connection->add_to(counts);
  return counts;
}

}  // namespace ambbpf
