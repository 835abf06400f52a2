// SPDX-License-Identifier: Apache-2.0
#include "userspace/direct/reach.h"

#include <algorithm>

#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMostAtOnce = 64;
constexpr auto kLongestPause = 60s;
constexpr auto kHeld = 30s;
// One that could not be found: all processes have to be looked at.
constexpr auto kLookedForEvery = 10s;

}  // namespace

void Reach::ask(const direct_event& wanted, const Backend& backend,
                std::chrono::milliseconds timeout) {
  if (under_way_ >= kMostAtOnce || backend.address().address().is_loopback()) return;
  const Place place{wanted.netns, wanted.index, wanted.use};
  auto& asked = asked_[place];
  if (asked.is_under_way) return;
  asked.last = Clock::now();
  auto connecting = find(wanted).and_then(
      [&](const NetworkNamespace& there) { return there.connect(backend.address()); });
  if (!connecting) {
    log::debug("direct: consumers in network namespace {} go by the proxy: {}", wanted.netns,
               connecting.error().message());
    return;
  }
  asked.is_under_way = true;
  ++under_way_;
  spawn(io_, hear(*this, place, std::move(*connecting), timeout));
}

const Result<NetworkNamespace>& Reach::find(const direct_event& wanted) {
  auto& known = namespaces_[wanted.netns];
  const auto now = Clock::now();
  if (!known.there && known.used + kLookedForEvery < now)
    known.there = NetworkNamespace::find(
        wanted.netns, {static_cast<pid_t>(wanted.thread), static_cast<pid_t>(wanted.process)});
  else if (!known.there)
    return known.there;
  known.used = now;
  return known.there;
}

awaitable<void> Reach::hear(Reach& self, Place place, Connecting connecting,
                            std::chrono::milliseconds timeout) {
  const auto socket = co_await finish_connect(std::move(connecting), timeout);
  const auto [netns, backend, use] = place;
  const direct_reach what{.netns = netns, .backend = backend, .use = use};
  auto& asked = self.asked_[place];
  asked.is_under_way = false;
  --self.under_way_;
  asked.pause = socket ? 0s : std::min(std::max(asked.pause * 2, 1s), kLongestPause);
  if (socket) {
    self.programs_.set_reached(what);
  } else {
    log::debug("direct: network namespace {} is asked again in {} s: {}", netns,
               asked.pause.count(), socket.error().message());
    self.programs_.set_unreached(what, asked.pause);
  }
}

void Reach::let_go() {
  const auto now = Clock::now();
  std::erase_if(namespaces_, [now](const auto& entry) { return entry.second.used + kHeld < now; });
  std::erase_if(asked_, [now](const auto& entry) {
    const auto& [place, asked] = entry;
    return !asked.is_under_way && asked.last + asked.pause + kHeld < now;
  });
}

}  // namespace ambbpf
