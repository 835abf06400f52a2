// SPDX-License-Identifier: Apache-2.0
// What active checks find is news of the service's: the choice follows, and it is told.
#include <fmt/format.h>

#include "userspace/endpoints/service.h"
#include "userspace/events/event_log.h"
#include "userspace/support/log.h"

namespace ambbpf {

void Service::report_check(Backend& backend, std::optional<Checked> checked) {
  const auto now = Clock::now();
  const bool was_down = backend.is_down();
  const auto before = backend.checked();
  backend.keep_check(checked);
  const bool is_down = backend.is_down();
  if (was_down == is_down) return;
  Event event{.service = name_,
              .kind = std::string(is_down ? event_kind::kDown : event_kind::kUp),
              .outcome = to_string(backend.address())};
  {
    const std::scoped_lock lock(mutex_);
    choose(now);
    event.version = choice_->version;
    event.endpoints = in_force_->size();
  }
  if (is_down) {
    log::warn("service {}: {} is down: its checks fail: {}", name_, event.outcome,
              checked->last_error);
    event_log().record(std::move(event), {.what = checked->last_error, .heard = now});
    return;
  }
  const std::chrono::duration<double> span = now - before->since;
  const auto* why = checked ? "its checks pass" : "it is checked no more";
  log::info("service {}: {} is up again after {:.1f} s: {}", name_, event.outcome, span.count(),
            why);
  event.outcome += fmt::format(" after {:.1f} s", span.count());
  event_log().record(std::move(event), {.what = why, .heard = now});
}

}  // namespace ambbpf
