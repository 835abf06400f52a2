// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/etcd_follower.h"

#include <fmt/format.h>

#include "userspace/support/log.h"
#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

using namespace std::chrono_literals;
using State = SourceStatus::State;

// A watch that ends sooner says nothing about the next one: do not go round in circles with it.
constexpr auto kShortWatch = 1s;

double seconds_since(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

}  // namespace

EtcdFollower::EtcdFollower(std::string kind, std::string directory, EtcdOptions options,
                           std::shared_ptr<EtcdOutages> outages)
    : keys_(std::move(directory)), options_(std::move(options)), outages_(std::move(outages)) {
  status_.kind = std::move(kind);
}

std::string EtcdFollower::name() const {
  return fmt::format("{} {}{}", status_.kind, url(), printable(directory()));
}

void EtcdFollower::listed(const EtcdListing& listing) {
  ++status_.lists;
  listed_at_ = Clock::now();
  status_.heard_at = listed_at_;
  failed_in_round_ = 0;
  not_served_in_round_ = 0;
  errors_in_round_.clear();
  misplaced_ = listing.misplaced;
  end_outage();

  const bool broken = published_ && listing.position.breaks_with(position_);
  keys_.replace(listing.keys);
  if (broken) take_break(listing.position);
  position_ = listing.position;
  publish_set();
}

// The registrars have yet to find the new cluster: an empty one is no reason to drop connections.
void EtcdFollower::take_break(const EtcdPosition& position) {
  server_changed_ = true;
  if (!kept_) kept_ = keys_.endpoints().empty() && !published_->empty();
  log::warn(
      "{}: another etcd cluster, or one that lost its history (cluster {} at {}, then {} at {}){}",
      name(), quoted(position_.cluster), position_.index, quoted(position.cluster), position.index,
      kept_ ? fmt::format("; it lists no endpoint, {} stay in force", published_->size()) : "");
}

void EtcdFollower::heard(const EtcdNews& news) {
  status_.heard_at = Clock::now();
  status_.events += news.changes.size();
  position_.index = std::max(position_.index, news.index);
  for (const auto& change : news.changes) {
    const bool own = keys_.apply(change);
    if (own && !change.value) kept_ = false;  // a removal that the new cluster itself tells of
  }
  if (!news.changes.empty()) publish_set();
}

void EtcdFollower::publish_set() {
  auto endpoints = keys_.endpoints();
  if (kept_ && endpoints.empty()) return;
  kept_ = false;
  status_.endpoints = endpoints.size();
  if (published_ == endpoints) return;
  published_ = endpoints;
  publish_(std::move(endpoints));
}

void EtcdFollower::failed(const Error& error) {
  ++status_.failures;
  status_.failed_at = Clock::now();
  status_.last_error = error.message();
  log::debug("{}: {}", name(), status_.last_error);
  errors_in_round_ += (errors_in_round_.empty() ? "" : "; ") + status_.last_error;
  next_url();
}

Backoff::Delay EtcdFollower::list_failed(const Error& error) {
  failed(error);
  return round_over();
}

Backoff::Delay EtcdFollower::not_served() {
  status_.heard_at = Clock::now();
  ++not_served_in_round_;
  next_url();
  return round_over();
}

// The next URL is tried at once; a whole round of URLs without a listing is a reason to wait.
Backoff::Delay EtcdFollower::round_over() {
  if (++failed_in_round_ < options_.urls.size()) return 0ms;
  const bool all_answered = not_served_in_round_ == failed_in_round_;
  const bool answered = not_served_in_round_ > 0;
  const auto errors = std::exchange(errors_in_round_, {});
  failed_in_round_ = 0;
  not_served_in_round_ = 0;
  if (!answered) return begin_outage(errors);
  if (status_.state != State::kNotServed && outages_->is_news(status_.kind))
    log::info("{} is not served{}", status_.kind,
              all_answered ? fmt::format(" by {}", fmt::join(options_.urls, ", "))
                           : fmt::format(" where etcd answers; {}{}", errors, options_.advice));
  status_.state = State::kNotServed;
  outage_since_.reset();
  return all_answered ? options_.not_served_before_list : backoff_.next();
}

Backoff::Delay EtcdFollower::begin_outage(const std::string& errors) {
  if (!outage_since_) {
    outage_since_ = Clock::now();
    outage_told_ = outages_->is_news("outage");
    if (outage_told_)
      log::warn("etcd cannot be followed: {}; known endpoints stay in force{}", errors,
                options_.advice);
  }
  status_.state = State::kFailing;
  return backoff_.next();
}

void EtcdFollower::end_outage() {
  if (outage_since_) {
    if (outage_told_)
      log::info("etcd is followed again after {:.1f} s", seconds_since(*outage_since_));
    outage_since_.reset();
  }
  const bool was_away = status_.state == State::kFailing || status_.state == State::kNotServed;
  if (was_away || std::exchange(lost_watch_, false)) server_changed_ = true;
  status_.state = State::kFollowing;
}

Backoff::Delay EtcdFollower::watch_ended(const std::string& why) {
  log::debug("{}: listing again: {}", name(), why);
  if (!fresh()) {
    short_watches_ = 0;
    backoff_.reset();
    return 0ms;
  }
  return ++short_watches_ == 1 ? 0ms : backoff_.next();
}

Backoff::Delay EtcdFollower::watch_failed(const Error& error) {
  failed(error);
  lost_watch_ = true;
  return watch_ended(status_.last_error);
}

bool EtcdFollower::fresh() const { return Clock::now() - listed_at_ < kShortWatch; }

std::string EtcdFollower::note() const {
  if (kept_) return "kept from an earlier etcd cluster, the new one lists none yet";
  if (status_.state == State::kNotServed && published_ && !published_->empty())
    return "kept from when the server still spoke this API";
  if (const auto& deeper = keys_.deeper(); !deeper.empty())
    return fmt::format("{} key{} deeper than one level {} ignored: {}{}", deeper.size(),
                       deeper.size() == 1 ? "" : "s", deeper.size() == 1 ? "is" : "are",
                       printable(*deeper.begin()), deeper.size() == 1 ? "" : ", ...");
  if (!misplaced_.empty() && status_.endpoints == 0)
    return fmt::format("a key without the slash before it is ignored: {}", printable(misplaced_));
  return {};
}

SourceStatus EtcdFollower::status() const {
  auto status = status_;
  status.from = fmt::format("{} {}", url(), printable(directory()));
  status.note = note();
  status.rejected_total = keys_.rejected_total();
  status.rejected = keys_.rejected();
  return status;
}

}  // namespace ambbpf
