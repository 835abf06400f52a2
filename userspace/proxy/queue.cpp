// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/queue.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

bool has_left(int client) {
  pollfd asked{.fd = client, .events = POLLRDHUP, .revents = 0};
  if (::poll(&asked, 1, 0) <= 0) return false;
  if (asked.revents & (POLLERR | POLLHUP | POLLNVAL)) return true;
  int bytes = 0;
  return ::ioctl(client, SIOCINQ, &bytes) == 0 && bytes == 0;
}

}  // namespace

std::optional<Queued> Queued::in(Service& service, const QueueSettings& settings) {
  auto queued = service.queued_now.load();
  do {
    if (queued >= settings.length) return std::nullopt;
  } while (!service.queued_now.compare_exchange_weak(queued, queued + 1));
  ++service.queued;
  return Queued(service, Clock::now() + settings.timeout);
}

awaitable<InLine> wait_in_line(WaitingLine::Place& place, const Queued& queued,
                               const UniqueFd& client) {
  constexpr auto kLookEvery = 1s;
  for (;;) {
    const auto look_at = std::min(Clock::now() + kLookEvery, queued.until());
    const bool may_try = co_await place.turn(look_at);
    if (!client || has_left(client.get())) co_return InLine::kLeft;
    if (may_try) co_return Clock::now() < queued.until() ? InLine::kTry : InLine::kLate;
    if (Clock::now() >= queued.until()) co_return InLine::kLate;
  }
}

}  // namespace ambbpf
