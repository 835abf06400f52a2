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

}  // namespace

std::optional<Attempt> begin_dial(Service& service, const DialOptions& options,
                                  const Client& client, FirstBytes first_bytes) {
  auto backend = service.pick(client);
  if (!backend) return std::nullopt;
  auto connecting = begin_connect(backend->address(), first_bytes, options.descriptors_below);
  return Attempt{Making(std::move(backend)), std::move(connecting)};
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
  const auto& backend = attempt.making.backend();
  note_answer(service, *backend);
  return Dialled{std::move(attempt.connecting.socket), backend, attempts};
}

awaitable<tl::expected<Dialled, NotDialled>> dial(Service& service, DialOptions options,
                                                  Client client, std::optional<Attempt> begun) {
  constexpr auto kFirstPause = 100ms;
  const auto held_until = Clock::now() + options.hold;
  auto pause = Clock::duration(kFirstPause);
  Backends failed;
  Error last_error;
  bool held = false;

  unsigned attempts = 0;
  while (attempts <= options.retries) {
    auto attempt = std::exchange(begun, std::nullopt);
    const auto backend = attempt ? attempt->making.backend() : service.pick(client, failed);
    if (!backend) {
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
    if (std::ranges::find(failed, backend) != failed.end()) {
      // All have failed, and this one for the second time: give them a moment.
      co_await wait_for_others(service, failed, Clock::now() + pause);
      pause *= 2;
      failed.clear();
      continue;
    }

    if (attempts++ > 0) service.connect_retries.fetch_add(1, std::memory_order_relaxed);
    if (!attempt)
      attempt = Attempt{Making(backend), begin_connect(backend->address(), FirstBytes::kUnknown,
                                                       options.descriptors_below)};
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
