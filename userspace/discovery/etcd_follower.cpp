// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/etcd_follower.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/events/event_log.h"
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
    : directory_(std::move(directory)), options_(std::move(options)), outages_(std::move(outages)) {
  status_.kind = std::move(kind);
}

void EtcdFollower::remove_all() {
  for (auto* service : services_.all()) remove(*service);
}

std::string EtcdFollower::name() const {
  return fmt::format("{} {}{}", status_.kind, url(), printable(directory_));
}

void EtcdFollower::add(FollowedService& service) {
  services_.add(service);
  asked_for_.insert(&service);
}

void EtcdFollower::remove(FollowedService& service) {
  services_.remove(service);
  listing_.remove(service);
  asked_for_.erase(&service);
  changed_.erase(&service);
  if (service.follower() != this) return;
  service.followed_by(nullptr);
  service.position(position_);
}

bool EtcdFollower::feeds_any() const {
  const auto services = services_.all();
  return std::any_of(services.begin(), services.end(),
                     [this](const auto* service) { return service->follower() == this; });
}

void EtcdFollower::begin_listing() {
  listing_ = services_;
  asked_for_.clear();
}

// A few are listed one by one, more of them by the directory that they have in common.
std::string EtcdFollower::begin_listing_asked() {
  if (asked_for_.size() > kFewServices) {
    listing_ = {};
    for (auto* service : std::exchange(asked_for_, {})) listing_.add(*service);
    return directory_;
  }
  auto* service = *asked_for_.begin();
  asked_for_.erase(asked_for_.begin());
  listing_ = {};
  listing_.add(*service);
  return service->directory();
}

bool EtcdFollower::lacks_keys(const EtcdListing& listing) const {
  std::set<FollowedService*> found;
  for (const auto& key : listing.keys)
    for (auto* service : listing_.of(key.key)) found.insert(service);
  return found.size() < listing_.all().size();
}

// The small print of a change of followers: the former one has heard more than this listing tells.
bool EtcdFollower::is_behind(const FollowedService& service, const EtcdPosition& position) const {
  const auto* former = service.follower();
  return former && former != this && former->position().cluster == position.cluster &&
         position.index < former->position().index;
}

bool EtcdFollower::breaks(const FollowedService& service, const EtcdPosition& position) const {
  if (!service.has_published()) return false;
  return position.breaks_with(service.follower() == this ? position_ : service.position());
}

void EtcdFollower::hand_out(const EtcdListing& listing) {
  std::map<FollowedService*, std::vector<EtcdKey>> keys;
  for (const auto& key : listing.keys)
    for (auto* service : listing_.of(key.key)) keys[service].push_back(key);
  std::size_t kept = 0;
  bool broken = false;
  for (auto* service : listing_.all()) {
    if (is_behind(*service, listing.position)) {
      asked_for_.insert(service);
      continue;
    }
    const bool breaks_here = breaks(*service, listing.position);
    broken = broken || breaks_here;
    if (service->listed(listing.position, keys[service], breaks_here)) ++kept;
    service->followed_by(this);
    changed_.erase(service);
  }
  for (const auto& key : listing.misplaced)
    for (auto* service : listing_.of('/' + key)) service->misplaced(key);
  listing_ = {};
  if (!broken) return;
  server_changed_ = true;
  log::warn("{}: another etcd cluster, or one that lost its history (now cluster {} at {}){}",
            name(), ambbpf::quoted(listing.position.cluster), listing.position.index,
            kept > 0 ? fmt::format("; it lists no endpoint of {} service{}, theirs stay in force",
                                   kept, kept == 1 ? "" : "s")
                     : "");
}

void EtcdFollower::listed(const EtcdListing& listing) {
  ++status_.lists;
  listed_at_ = Clock::now();
  status_.heard_at = listed_at_;
  failed_in_round_ = 0;
  not_served_in_round_ = 0;
  errors_in_round_.clear();
  end_outage();
  hand_out(listing);
  position_ = listing.position;
}

bool EtcdFollower::listed_asked(const EtcdListing& listing) {
  if (listing.position.breaks_with(position_)) return false;
  ++status_.lists;
  status_.heard_at = Clock::now();
  hand_out(listing);
  return true;
}

void EtcdFollower::heard(const EtcdNews& news) {
  status_.heard_at = Clock::now();
  position_.index = std::max(position_.index, news.index);
  for (const auto& change : news.changes) {
    auto concerned = services_.of(change.key);
    if (!change.value && !change.only_itself)
      for (auto* service : services_.below(change.key)) concerned.push_back(service);
    for (auto* service : concerned) {
      if (service->follower() != this) continue;  // not listed yet
      service->heard(change);
      changed_.insert(service);
    }
  }
}

std::optional<Clock::time_point> EtcdFollower::publish() {
  std::optional<Clock::time_point> next;
  for (auto each = changed_.begin(); each != changed_.end();) {
    const auto due = (*each)->publish(Clock::now());
    if (due) next = std::min(*due, next.value_or(*due));
    each = due ? std::next(each) : changed_.erase(each);
  }
  return next;
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
    if (outage_told_) {
      log::warn("etcd cannot be followed: {}; known endpoints stay in force{}", errors,
                options_.advice);
      event_log().record({.kind = std::string(event_kind::kSourceLost),
                          .cause = errors,
                          .outcome = fmt::format("etcd {}: known endpoints stay in force",
                                                 fmt::join(options_.urls, ", "))});
    }
  }
  status_.state = State::kFailing;
  return backoff_.next();
}

void EtcdFollower::end_outage() {
  if (outage_since_) {
    if (outage_told_) {
      log::info("etcd is followed again after {:.1f} s", seconds_since(*outage_since_));
      event_log().record(
          {.kind = std::string(event_kind::kSourceBack),
           .cause = fmt::format("{} lists again", name()),
           .outcome = fmt::format("etcd after {:.1f} s", seconds_since(*outage_since_))});
    }
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

SourceStatus EtcdFollower::status() const {
  auto status = status_;
  status.from = url();
  return status;
}

}  // namespace ambbpf
