// SPDX-License-Identifier: Apache-2.0
// What becomes known of a service's choices: `ambbpf events`.
#include <fmt/format.h>

#include "userspace/endpoints/service.h"
#include "userspace/events/event_log.h"

namespace ambbpf {

// At its beginning and at its end.
void Service::record_limit(std::size_t before) const {
  const auto now = choice_->used_all_the_same;
  event_log().record(
      {.service = name_,
       .kind = std::string(now > 0 ? event_kind::kEjectionsLimited : event_kind::kLimitEnded),
       .outcome = now > 0 ? fmt::format("{} used although ejected",
                                        now == 1 ? "1 endpoint is" : fmt::format("{} are", now))
                          : fmt::format("{} used although ejected before",
                                        before == 1 ? "1 was" : fmt::format("{} were", before)),
       .endpoints = in_force_->size(),
       .version = choice_->version},
      {.what = fmt::format("max_ejected is {} %", balance_.max_ejected)});
}

void Service::record_ejection(const Backend& backend, const Choice& choice, Cause cause) const {
  using std::chrono::duration_cast;
  const std::chrono::duration<double> span = backend.ejected_until() - cause.heard;
  const auto took = duration_cast<std::chrono::microseconds>(Clock::now() - cause.heard);
  event_log().record({.service = name_,
                      .kind = std::string(event_kind::kEjected),
                      .outcome = fmt::format("{} for {:.0f} s at first",
                                             to_string(backend.address()), span.count()),
                      .endpoints = in_force()->size(),
                      .version = choice.version,
                      .took_us = static_cast<std::uint64_t>(took.count())},
                     cause);
}

void Service::record_return(const Failing& failing, const Backend& backend, const Choice& choice,
                            BackendOutcome outcome) const {
  const std::chrono::duration<double> span = Clock::now() - failing.since;
  event_log().record(
      {.service = name_,
       .kind = std::string(event_kind::kReturned),
       .outcome = fmt::format("{} after {:.1f} s and {}", to_string(backend.address()),
                              span.count(), failures_of(failing)),
       .endpoints = in_force()->size(),
       .version = choice.version},
      {.what = outcome == BackendOutcome::kAnswered ? "it has answered a client"
                                                    : "it answers a connect"});
}

}  // namespace ambbpf
