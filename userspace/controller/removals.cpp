// SPDX-License-Identifier: Apache-2.0
#include "userspace/controller/removals.h"

#include <algorithm>
#include <set>

#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

// No dial to a backend takes longer that was begun before it went.
constexpr auto kOnTheirWay = 5s;

}  // namespace

Removals::Removals(asio::io_context& io, std::shared_ptr<Service> service, Reset reset)
    : state_(std::make_shared<State>()) {
  state_->service = std::move(service);
  state_->reset = std::move(reset);
  following_ = Task(io.get_executor(), follow(state_), state_);
}

Removals::Backends Removals::backends_of(const std::vector<tcp::endpoint>& endpoints) const {
  compare(*state_);  // the present set may be newer than the last look at it
  Backends found;
  for (const auto& [address, backends] : state_->known)
    if (endpoints.empty() || std::ranges::find(endpoints, address) != endpoints.end())
      found.insert(found.end(), backends.begin(), backends.end());
  return found;
}

awaitable<void> Removals::follow(StatePtr state) {
  for (;;) {
    const auto version = state->service->choice()->version;
    compare(*state);
    const auto next = reset_those_due(*state);
    co_await state->service->wait_for_change(version, next);
  }
}

void Removals::compare(State& state) {
  std::set<tcp::endpoint> present;
  for (const auto& endpoint : *state.service->in_force()) {
    const auto address = endpoint.backend->address();
    present.insert(address);
    state.going.erase(address);
    auto& known = state.known[address];
    // Whom nobody else has any more has no connections.
    std::erase_if(known, [](const auto& backend) { return backend.use_count() == 1; });
    if (std::ranges::find(known, endpoint.backend) == known.end())
      known.push_back(endpoint.backend);
  }
  const bool at_once = state.policy.action == RemovalPolicy::Action::kReset;
  const auto wait = at_once ? Clock::duration(0) : Clock::duration(state.policy.drain);
  std::erase_if(state.known, [&](const auto& entry) {
    const auto& address = entry.first;
    if (present.contains(address)) return false;
    if (state.policy.action == RemovalPolicy::Action::kKeep) return !state.going.contains(address);
    state.going.try_emplace(address, Going{.due = Clock::now() + wait});
    return false;
  });
}

Clock::time_point Removals::reset_those_due(State& state) {
  auto next = Clock::time_point::max();
  const auto now = Clock::now();
  Backends due;
  for (auto at = state.going.begin(); at != state.going.end();) {
    auto& [address, going] = *at;
    if (going.due <= now) {
      const auto& known = state.known[address];
      due.insert(due.end(), known.begin(), known.end());
      if (going.again) {
        state.known.erase(address);
        at = state.going.erase(at);
        continue;
      }
      log::info("service {}: connections to {} end: it was removed", state.service->name(),
                to_string(address));
      going = {.due = now + kOnTheirWay, .again = true};
    }
    next = std::min(next, going.due);
    ++at;
  }
  if (!due.empty()) state.reset(due);
  return next;
}

}  // namespace ambbpf
