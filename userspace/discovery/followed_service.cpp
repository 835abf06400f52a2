// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/followed_service.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/events/event_log.h"
#include "userspace/support/log.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;

constexpr auto kFresh = 1s;
constexpr auto kShortestPause = 2ms;  // between two publications
constexpr int kPauseForWork = 4;      // times what a publication takes: a fifth of the loop at most

std::optional<std::uint64_t> revision_of(std::uint64_t index) {
  return index == 0 ? std::nullopt : std::optional(index);
}

}  // namespace

FollowedService::FollowedService(std::string name, std::string directory,
                                 std::shared_ptr<Resolver> resolver)
    : name_(std::move(name)),
      keys_(std::move(directory)),
      names_(std::move(resolver), [this] { heard_of_names(); }) {}

ServiceKeys::StateOfName FollowedService::state_of_names() const {
  return [this](std::string_view name) { return names_.state_of(name); };
}

std::vector<Endpoint> FollowedService::endpoints() const {
  return keys_.endpoints(state_of_names());
}

void FollowedService::publish_to(Publish publish) {
  publish_ = std::move(publish);
  if (publish_ && published_)
    publish_(*published_, {.what = "what is known of " + printable(directory()),
                           .revision = revision_of(position_.index)});
}

// The registrars have yet to find a new cluster: an empty one is no reason to drop connections.
bool FollowedService::listed(const EtcdPosition& position, const std::vector<EtcdKey>& keys,
                             bool broken) {
  keys_.replace(keys);
  misplaced_.clear();
  position_ = position;
  listed_at_ = Clock::now();
  cause_ = {.what = "listing of " + printable(directory()),
            .revision = revision_of(position.index),
            .heard = listed_at_};
  changes_ = 0;
  record_rejected(*cause_);
  const bool newly_kept =
      broken && !kept_ && published_ && !published_->empty() && !keys_.has_any();
  if (newly_kept) {
    kept_ = true;
    record_kept();
  }
  publish_set();
  return newly_kept;
}

void FollowedService::heard(const EtcdChange& change) {
  if (change.index != 0 && change.index <= position_.index) return;  // the listing had it
  ++events_;
  const bool is_pending = keys_.changed();
  keys_.take_changed();
  // A removal that the new cluster itself tells of ends what is kept of the old one.
  if (keys_.apply(change) && !change.value && kept_) {
    kept_ = false;
    keys_.touch();
  }
  const auto now = Clock::now();
  Cause cause{.what = fmt::format("{} {}", printable(change.key), change.value ? "set" : "removed"),
              .revision = revision_of(change.index),
              .heard = now};
  record_rejected(cause);
  const bool is_news = keys_.changed();
  if (is_pending) keys_.touch();
  if (!is_news) return;
  if (cause_) cause.heard = cause_->heard;
  cause_ = std::move(cause);
  ++changes_;
}

void FollowedService::record_rejected(const Cause& cause) {
  for (const auto& [key, reason] : keys_.take_newly_rejected())
    event_log().record({.service = name_,
                        .kind = std::string(event_kind::kRejected),
                        .outcome = fmt::format("{}: {}", key, reason)},
                       cause);
}

void FollowedService::record_kept() const {
  event_log().record({.service = name_,
                      .kind = std::string(event_kind::kKept),
                      .outcome = "it lists no endpoint; the set stays as it was",
                      .endpoints = published_->size()},
                     {.what = "another etcd cluster, or one that lost its history",
                      .revision = revision_of(position_.index)});
}

std::optional<Clock::time_point> FollowedService::publish(Clock::time_point now) {
  if (!keys_.changed()) return std::nullopt;
  if (now < next_publication_) return next_publication_;
  publish_set();
  const auto end = Clock::now();
  next_publication_ = end + std::max<Clock::duration>(kShortestPause, kPauseForWork * (end - now));
  return std::nullopt;
}

// What has begun to fail is told, of each key once.
void FollowedService::heard_of_names() {
  const Cause cause{.what = "names in values of " + printable(directory())};
  std::set<std::string> unresolved;
  for (const auto& value : keys_.unresolved(state_of_names())) {
    if (!unresolved_.contains(value.key)) {
      ++unresolved_total_;
      if (const auto unsaid = unresolved_log_.pass(Clock::now())) {
        log::warn("etcd key {}: {}{}", value.key, value.reason, more_before_it(*unsaid));
        event_log().record({.service = name_,
                            .kind = std::string(event_kind::kRejected),
                            .outcome = fmt::format("{}: {}", value.key, value.reason)},
                           cause);
      }
    }
    unresolved.insert(value.key);
  }
  unresolved_ = std::move(unresolved);
  if (!cause_) cause_ = cause;
  publish_set();
}

void FollowedService::publish_set() {
  keys_.take_changed();
  names_.follow(keys_.names());
  if (!published_ && names_.is_waiting()) return;  // a first set is as whole as can be
  auto cause = std::exchange(cause_, std::nullopt).value_or(Cause{});
  const auto changes = std::exchange(changes_, 0);
  auto endpoints = this->endpoints();
  if (kept_ && endpoints.empty()) return;
  kept_ = false;
  if (published_ == endpoints) return;
  published_ = std::move(endpoints);
  if (!publish_) return;
  if (changes > 1)
    cause.what += fmt::format(" ({} change{} before it)", changes - 1, changes == 2 ? "" : "s");
  publish_(*published_, cause);
  if (changes > 0) propagation_.observe(Clock::now() - cause.heard);
}

bool FollowedService::fresh() const { return Clock::now() - listed_at_ < kFresh; }

std::string FollowedService::note(SourceStatus::State state) const {
  if (kept_) return "kept from an earlier etcd cluster, the new one lists none yet";
  if (state == SourceStatus::State::kNotServed && published_ && !published_->empty())
    return "kept from when the server still spoke this API";
  if (const auto& deeper = keys_.deeper(); !deeper.empty())
    return fmt::format("{} key{} deeper than one level {} ignored: {}{}", deeper.size(),
                       deeper.size() == 1 ? "" : "s", deeper.size() == 1 ? "is" : "are",
                       printable(*deeper.begin()), deeper.size() == 1 ? "" : ", ...");
  if (!misplaced_.empty() && (!published_ || published_->empty()))
    return fmt::format("a key without the slash before it is ignored: {}", printable(misplaced_));
  return {};
}

SourceStatus FollowedService::status(SourceStatus status) const {
  if (status.state == SourceStatus::State::kFollowing && !published_)
    status.state = SourceStatus::State::kStarting;
  status.from = fmt::format("{} {}", status.from, printable(directory()));
  status.endpoints = published_ ? published_->size() : 0;
  status.events = events_;
  status.propagation = propagation_.counts();
  status.note = note(status.state);
  status.kept = kept_;
  status.rejected_total = keys_.rejected_total() + unresolved_total_;
  status.rejected = keys_.rejected();
  std::ranges::move(keys_.unresolved(state_of_names()), std::back_inserter(status.rejected));
  return status;
}

}  // namespace ambbpf
