// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/service_manager.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include <cstddef>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

#include "userspace/support/log.h"
#include "userspace/support/unique_fd.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

const char* notify_socket() { return std::getenv("NOTIFY_SOCKET"); }

// sd_notify(3) waits while the service manager does not read, and a PID 1 that is frozen never
// does. False where it cannot be known.
bool has_no_room() {
  const std::string_view path = notify_socket();
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof address.sun_path) return false;
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  if (path.front() == '@') address.sun_path[0] = '\0';  // no file (unix(7))
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const UniqueFd probe(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!probe || ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0)
    return false;
  pollfd room{.fd = probe.get(), .events = POLLOUT, .revents = 0};
  return ::poll(&room, 1, 0) == 0;
}

std::int64_t monotonic_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

// How long the watchdog waits for food; 0: there is none that means us.
std::chrono::microseconds watchdog_limit() {
  std::uint64_t limit = 0;
  return std::chrono::microseconds(::sd_watchdog_enabled(0, &limit) > 0 ? limit : 0);
}

}  // namespace

void ServiceManager::ready(asio::io_context& io) {
  if (!notify_socket()) return;
  spawn(io, tell_state(*this));
  if (const auto limit = watchdog_limit(); limit > 0us) spawn(io, feed_watchdog(*this, limit));
}

void ServiceManager::reloading() {
  if (send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=reloading", monotonic_us())))
    ready_told_ = false;
}

void ServiceManager::stopping(std::chrono::milliseconds at_most) {
  // What the unit allows for stopping (TimeoutStopSec) is more, or else this extends it.
  const std::chrono::microseconds needed = at_most;
  send(fmt::format("STOPPING=1\nSTATUS={}\nEXTEND_TIMEOUT_USEC={}", answers_.state(),
                   needed.count()));
}

awaitable<void> ServiceManager::tell_state(ServiceManager& self) {
  for (;;) {
    self.tell_what_is_new();
    co_await sleep_for(1s);
  }
}

void ServiceManager::tell_what_is_new() {
  auto state = answers_.state();
  if (ready_told_ && state == state_told_) return;
  if (!send((ready_told_ ? "STATUS=" : "READY=1\nSTATUS=") + state)) return;
  ready_told_ = true;
  state_told_ = std::move(state);
}

// That this loop turns is shown by being here.
awaitable<void> ServiceManager::feed_watchdog(ServiceManager& self, Clock::duration limit) {
  for (;;) {
    if (self.answers_.turn_other_loops) co_await self.answers_.turn_other_loops();
    self.send("WATCHDOG=1");
    co_await sleep_for(limit / 2);
  }
}

bool ServiceManager::send(const std::string& message) {
  if (!notify_socket() || has_no_room()) return false;
  const int sent = ::sd_notify(0, message.c_str());
  if (sent < 0 && !std::exchange(failure_told_, true))
    log::warn("the service manager cannot be told {}: {}", message.substr(0, message.find('\n')),
              std::generic_category().message(-sent));
  return sent > 0;
}

}  // namespace ambbpf
