// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/dial.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

// Refusals that say nothing of the backend: our own limits.
bool is_our_own(const std::error_code& code) {
  return code == std::errc::too_many_files_open ||
         code == std::errc::too_many_files_open_in_system || code == std::errc::no_buffer_space ||
         code == std::errc::not_enough_memory || code == std::errc::address_not_available;
}

EndReason reason_of(const std::error_code& last_failure) {
  if (is_our_own(last_failure)) return EndReason::kConnectLimits;
  return last_failure == std::errc::timed_out ? EndReason::kConnectTimeout
                                              : EndReason::kConnectFailed;
}

bool has_others_than(const Choice& choice, const Backends& tried) {
  return std::ranges::any_of(choice.candidates, [&](const Candidate& candidate) {
    return std::ranges::find(tried, candidate.backend) == tried.end();
  });
}

// Counts a connection as held for as long as it lives.
struct HeldNow {
  explicit HeldNow(Service& of) : service(of) { ++service.held_now; }
  ~HeldNow() { --service.held_now; }
  HeldNow(const HeldNow&) = delete;
  HeldNow& operator=(const HeldNow&) = delete;
  Service& service;
};

// Until there is a backend that is none of `tried`, at the latest until `deadline`.
awaitable<void> wait_for_others(Service& service, const Backends& tried,
                                Clock::time_point deadline) {
  while (Clock::now() < deadline) {
    const auto choice = service.choice();
    if (has_others_than(*choice, tried)) co_return;
    co_await service.wait_for_change(choice->version, std::min(deadline, choice->until));
  }
}

Attempt begin_attempt(BackendPlace place, FirstBytes first_bytes, const DialOptions& options) {
  Making making(place.backend());
  auto connecting =
      begin_connect(place.backend()->address(), first_bytes, options.descriptors_below);
  return {std::move(place), std::move(making), std::move(connecting)};
}

NotDialled queued_in_vain(Service& service, const QueueSettings& queue, EndReason reason,
                          unsigned attempts) {
  NotDialled why{reason, attempts, {}};
  if (reason == EndReason::kEndpointsFull) {
    ++service.endpoints_full;
    why.error.what = fmt::format("service {}: no endpoint has room (max_connections_per_endpoint)",
                                 service.name());
  } else if (reason == EndReason::kQueueFull) {
    ++service.queue_full;
    why.error.what = fmt::format("service {}: {} are queued (queue)", service.name(), queue.length);
  } else if (reason == EndReason::kQueueTimeout) {
    ++service.queue_timeouts;
    why.error.what = fmt::format("service {}: no endpoint had room for {} ms (queue_timeout)",
                                 service.name(), queue.timeout.count());
  } else {
    why.error.what = fmt::format("service {}: the client left while it was queued", service.name());
  }
  return why;
}

// In line for room at an endpoint, from the first time that there is none.
struct ForRoom {
  std::optional<Queued> queued;
  std::optional<WaitingLine::Place> place{};
};

// Nothing: it stands in line.
std::optional<EndReason> stand_in_line(Service& service, const QueueSettings& queue,
                                       ForRoom& room) {
  if (!room.queued && queue.length == 0) return EndReason::kEndpointsFull;
  if (!room.place) room.place.emplace(service.line_for_endpoints);
  // After it is in line: who sees it counted comes after it.
  if (!room.queued) room.queued = Queued::in(service, queue);
  return room.queued ? std::nullopt : std::optional(EndReason::kQueueFull);
}

}  // namespace

std::optional<Attempt> begin_dial(Service& service, const DialOptions& options,
                                  const Client& client, FirstBytes first_bytes) {
  if (!service.line_for_endpoints.is_empty()) return std::nullopt;
  auto claim = service.claim(client, {}, options.most_per_endpoint);
  if (!claim.place) return std::nullopt;
  return begin_attempt(std::move(*claim.place), first_bytes, options);
}

void note_answer(Service& service, Backend& backend, BackendOutcome how) {
  if (service.report(backend, how))
    log::info("service {}: endpoint {} answers again", service.name(),
              to_string(backend.address()));
}

void note_failure(Service& service, Backend& backend, const Error& error) {
  if (is_our_own(error.code)) {
    if (const auto unsaid = service.own_limits_log.pass(Clock::now()))
      log::warn("service {}: {}{}", service.name(), error.message(), more_before_it(*unsaid));
    return;
  }
  if (service.report(backend, BackendOutcome::kConnectFailed, error.message()))
    log::warn("service {}: {}; the endpoint is ejected", service.name(), error.message());
  service.doubt();
}

Dialled answered(Service& service, Attempt attempt, unsigned attempts) {
  service.connect_times.observe(Clock::now() - attempt.connecting.begun);
  const auto backend = attempt.making.backend();
  note_answer(service, *backend);
  return Dialled{std::move(attempt.place), std::move(attempt.connecting.socket), backend, attempts};
}

awaitable<tl::expected<Dialled, NotDialled>> dial(Service& service, DialOptions options,
                                                  Client client, std::optional<Attempt> begun,
                                                  const UniqueFd& client_socket,
                                                  std::optional<Queued> queued) {
  constexpr auto kFirstPause = 100ms;
  const auto held_until = Clock::now() + options.hold;
  auto pause = Clock::duration(kFirstPause);
  Backends failed;
  Error last_error;
  bool held = false;
  ForRoom room{.queued = std::move(queued)};

  unsigned attempts = 0;
  while (attempts <= options.retries) {
    auto attempt = std::exchange(begun, std::nullopt);
    Service::Claim claim;
    if (!attempt) {
      // Nobody overtakes those who wait.
      if (!room.place && !service.line_for_endpoints.is_empty())
        claim.all_full = true;
      else
        claim = service.claim(client, failed, options.most_per_endpoint);
    }
    if (claim.all_full) {
      auto reason = stand_in_line(service, options.queue, room);
      if (!reason) {
        const auto outcome = co_await wait_in_line(*room.place, *room.queued, client_socket);
        if (outcome == InLine::kTry) continue;
        reason = outcome == InLine::kLate ? EndReason::kQueueTimeout : EndReason::kClientReset;
      }
      co_return tl::unexpected(queued_in_vain(service, options.queue, *reason, attempts));
    }
    room.place.reset();
    if (!attempt && !claim.place) {
      if (Clock::now() >= held_until) {
        service.no_endpoint.fetch_add(1, std::memory_order_relaxed);
        NotDialled held_in_vain{EndReason::kNoEndpoint, attempts, {}};
        held_in_vain.error.what = fmt::format("service {}: no endpoint within {} ms",
                                              service.name(), options.hold.count());
        co_return tl::unexpected(std::move(held_in_vain));
      }
      if (!std::exchange(held, true)) service.held.fetch_add(1, std::memory_order_relaxed);
      const HeldNow counted(service);
      co_await wait_for_others(service, failed, held_until);
      continue;
    }
    const auto backend = attempt ? attempt->making.backend() : claim.place->backend();
    if (std::ranges::find(failed, backend) != failed.end()) {
      claim.place.reset();
      // All have failed, and this one for the second time: give them a moment.
      co_await wait_for_others(service, failed, Clock::now() + pause);
      pause *= 2;
      failed.clear();
      continue;
    }

    if (attempts++ > 0) service.connect_retries.fetch_add(1, std::memory_order_relaxed);
    if (!attempt) attempt = begin_attempt(std::move(*claim.place), FirstBytes::kUnknown, options);
    auto socket = co_await finish_connect(std::move(attempt->connecting), options.connect_timeout);
    if (socket) {
      attempt->connecting.socket = std::move(*socket);
      co_return answered(service, std::move(*attempt), attempts);
    }
    failed.push_back(backend);
    last_error = socket.error();
    note_failure(service, *backend, last_error);
  }
  service.gave_up.fetch_add(1, std::memory_order_relaxed);
  NotDialled given_up{reason_of(last_error.code), attempts, last_error};
  given_up.error.what = fmt::format("service {}: gave up after {} attempts: {}", service.name(),
                                    attempts, last_error.what);
  co_return tl::unexpected(std::move(given_up));
}

}  // namespace ambbpf
