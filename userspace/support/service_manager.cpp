// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/service_manager.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <cstdlib>
#include <system_error>
#include <utility>

#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

bool wants_to_hear() { return std::getenv("NOTIFY_SOCKET") != nullptr; }

// How long the watchdog waits for food; 0: there is none that means us.
std::chrono::microseconds watchdog_limit() {
  std::uint64_t limit = 0;
  return std::chrono::microseconds(::sd_watchdog_enabled(0, &limit) > 0 ? limit : 0);
}

}  // namespace

void ServiceManager::ready(asio::io_context& io) {
  if (!wants_to_hear()) return;
  spawn(io, tell_state(*this));
  if (const auto limit = watchdog_limit(); limit > 0us) spawn(io, feed_watchdog(*this, limit));
}

void ServiceManager::stopping(std::chrono::milliseconds at_most) {
  // What the unit allows for stopping (TimeoutStopSec) is more, or else this extends it.
  const std::chrono::microseconds needed = at_most;
  send(fmt::format("STOPPING=1\nSTATUS={}\nEXTEND_TIMEOUT_USEC={}", answers_.state(),
                   needed.count()));
}

awaitable<void> ServiceManager::tell_state(ServiceManager& self) {
  auto told = self.answers_.state();
  self.send("READY=1\nSTATUS=" + told);
  for (;;) {
    co_await sleep_for(1s);
    auto state = self.answers_.state();
    if (state == told) continue;
    self.send("STATUS=" + state);
    told = std::move(state);
  }
}

// That this loop turns is shown by being here.
awaitable<void> ServiceManager::feed_watchdog(ServiceManager& self, Clock::duration limit) {
  for (;;) {
    if (self.answers_.turn_other_loops) co_await self.answers_.turn_other_loops();
    self.send("WATCHDOG=1");
    co_await sleep_for(limit / 2);
  }
}

void ServiceManager::send(const std::string& message) {
  // 0: without a service manager
  const int sent = ::sd_notify(0, message.c_str());
  if (sent >= 0 || std::exchange(failure_told_, true)) return;
  log::warn("the service manager cannot be told {}: {}", message.substr(0, message.find('\n')),
            std::generic_category().message(-sent));
}

}  // namespace ambbpf
