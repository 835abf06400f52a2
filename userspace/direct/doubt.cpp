// SPDX-License-Identifier: Apache-2.0
// Endpoints that have not answered of late, and consumers that could not reach them: who is at
// fault.
#include <algorithm>

#include "userspace/direct/direct.h"
#include "userspace/direct/served.h"
#include "userspace/proxy/connect.h"
#include "userspace/proxy/dial.h"
#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

// Of one service, that wait for the backend to be asked.
constexpr std::size_t kMostFailures = 1000;

}  // namespace

Direct::ServedPtr Direct::find(DirectTable::ServiceIndex index) const {
  const auto found = std::ranges::find_if(
      served_, [index](const auto& entry) { return entry.second->index == index; });
  return found == served_.end() ? nullptr : found->second;
}

void Direct::on_event(const direct_event& event) {
  if (event.kind == DIRECT_WANTED) {
    if (const auto served = find(event.index)) ask_those_in_doubt(served);
    return;
  }
  const auto* known = table_->slot(event.index, event.use);
  const auto served = known ? find(known->service) : nullptr;
  if (!served) return;
  if (event.kind == DIRECT_UNREACHED)
    return reach_->ask(event, *known->backend, served->connect_timeout);
  // It is given out no more. Whether the backend or the consumer is at fault, it is asked.
  if (served->failures.size() < kMostFailures) served->failures.push_back(event);
  ask_those_in_doubt(served);
}

// One that is not allowed to connect to a backend that answers us (IPAddressDeny= of its unit, say)
// must not take it from the others.
void Direct::judge_consumers(Served& served, const Backend& backend, bool answered) {
  std::erase_if(served.failures, [&](const direct_event& failure) {
    const auto* known = table_->slot(failure.index, failure.use);
    if (known && known->backend.get() != &backend) return false;
    if (known && answered) {
      programs_->bar(failure);
      log::info(
          "service {}: a consumer in cgroup {} could not connect to {}, which answers: those "
          "in there go by the proxy for an hour",
          served.service->name(), failure.cgroup, to_string(backend.address()));
    }
    return true;
  });
}

void Direct::ask_those_in_doubt(const ServedPtr& served) {
  if (std::exchange(served->asking, true)) return;
  spawn(io_, ask(*this, served));
}

// Connects to those that have not answered of late, and are not known to fail. Consumers go by the
// proxy or to others meanwhile.
awaitable<void> Direct::ask(Direct& self, ServedPtr served) {
  constexpr auto kLeast = 20ms;  // between two rounds, however much is wanted
  for (auto& backend : self.table_->in_doubt(served->index)) {
    if (backend->ejected(Clock::now())) {
      self.judge_consumers(*served, *backend, false);
    } else if (served->asked.insert(backend.get()).second) {
      auto connecting = begin_connect(backend->address(), FirstBytes::kUnknown, kNoDescriptorLimit);
      spawn(self.io_, hear(self, served, std::move(backend), std::move(connecting)));
    }
  }
  co_await sleep_for(kLeast);
  if (!served->served) co_return;
  served->asking = false;
  self.table_->unwanted(served->index);
}

awaitable<void> Direct::hear(Direct& self, ServedPtr served, std::shared_ptr<Backend> backend,
                             Connecting connecting) {
  auto socket = co_await finish_connect(std::move(connecting), served->connect_timeout);
  served->asked.erase(backend.get());
  const auto& kept = served->kept;
  if (!served->served || std::ranges::find(kept, backend) == kept.end()) co_return;
  self.judge_consumers(*served, *backend, socket.has_value());
  if (!socket) {
    note_failure(*served->service, *backend, socket.error());
    co_return;
  }
  self.table_->answered(served->index, *backend);
  note_answer(*served->service, *backend);
  if (served->watch && !self.table_->is_local(*backend))
    self.watches_->hold(backend, std::move(*socket));
}

}  // namespace ambbpf
