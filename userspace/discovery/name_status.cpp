// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/name_status.h"

#include <fmt/format.h>

#include "userspace/events/event_log.h"
#include "userspace/support/log.h"

namespace ambbpf {

NameStatus::NameStatus(std::string kind, std::string from, std::string name)
    : name_(std::move(name)) {
  status_.kind = std::move(kind);
  status_.from = std::move(from);
}

void NameStatus::heard(const FollowedName::State& asked, bool all_resolve) {
  if (asked.is_failing) {
    failed(asked);
    return;
  }
  ++status_.lists;
  status_.heard_at = asked.answer->heard;
  if (!all_resolve) return;
  if (status_.state == SourceStatus::State::kFailing) {
    log::info("{} resolves again", name_);
    event_log().record({.kind = std::string(event_kind::kSourceBack),
                        .cause = fmt::format("{} resolves again", name_),
                        .outcome = status_.from});
  }
  status_.state = SourceStatus::State::kFollowing;
}

void NameStatus::failed(const FollowedName::State& asked) {
  ++status_.failures;
  status_.failed_at = asked.failed_at;
  status_.last_error = asked.last_error;
  if (status_.state == SourceStatus::State::kFailing) return;
  status_.state = SourceStatus::State::kFailing;
  log::warn("{}", status_.last_error);
  event_log().record({.kind = std::string(event_kind::kSourceLost),
                      .cause = status_.last_error,
                      .outcome = fmt::format("{}: known endpoints stay in force", status_.from)});
}

}  // namespace ambbpf
