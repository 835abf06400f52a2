// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/service_manager.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

#include "userspace/support/log.h"
#include "userspace/support/unix_datagram.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

const char* notify_socket() { return std::getenv("NOTIFY_SOCKET"); }

std::int64_t monotonic_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

// 0: the variable is not set, or is no number.
std::int64_t number_in_environment(const char* variable) {
  const char* value = std::getenv(variable);
  const std::string_view text = value ? value : "";
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? number : 0;
}

// How long the watchdog waits for food, as sd_watchdog_enabled(3) has it; 0: there is none that
// means us.
std::chrono::microseconds watchdog_limit() {
  const auto fed_by = number_in_environment("WATCHDOG_PID");
  if (fed_by != 0 && fed_by != ::getpid()) return 0us;
  return std::chrono::microseconds(number_in_environment("WATCHDOG_USEC"));
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

// Without waiting: a PID 1 that is frozen never reads.
bool ServiceManager::send(const std::string& message) {
  const char* socket = notify_socket();
  if (!socket) return false;
  const auto sent = send_datagram(socket, message, MSG_DONTWAIT);
  if (!sent && sent.error().code != std::errc::operation_would_block &&
      !std::exchange(failure_told_, true))
    log::warn("the service manager cannot be told {}: {}", message.substr(0, message.find('\n')),
              sent.error().code.message());
  return sent.has_value();
}

}  // namespace ambbpf
