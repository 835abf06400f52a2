// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/service.h"

#include <algorithm>
#include <utility>

namespace ambbpf {

using namespace std::chrono_literals;

Choice Service::choice_at(Clock::time_point now) {
  constexpr auto kLeast = 50ms;  // between two choices that only time has made necessary
  Choice choice{.version = choice_->version + 1, .policy = balance_.policy, .seed = seed_};
  std::vector<Candidate> all;
  for (const auto& listed : *in_force_) {
    const auto& standing = listed.standing;
    const auto by_hand = overrides_.of(listed.backend->address());
    if (by_hand && by_hand->is_drained) continue;
    const bool is_near = !balance_.zone.empty() && standing.zone == balance_.zone;
    const auto weight = by_hand ? by_hand->weight.value_or(standing.weight) : standing.weight;
    all.push_back({listed.backend, weight, standing.priority, is_near});
    choice.until = std::min(choice.until, listed.backend->health_until(now));
  }
  const auto candidates = [&](bool those_due_count) {
    return candidates_of(all, now, balance_.zone_spill, {balance_.max_ejected, those_due_count});
  };
  if (choice.policy->starts_slowly && balance_.slow_start > 0ms)
    choice.until = std::min(choice.until,
                            slow_starts_.weigh(all, candidates(false), balance_.slow_start, now));
  else
    slow_starts_ = {};
  choice.until = std::max(choice.until, now + kLeast);
  const auto choose_from = [&](bool those_due_count) {
    choice.candidates = candidates(those_due_count);
    choice.order = choice.policy->order(choice.candidates);
  };
  const auto is_due = [now](const auto& one) {
    return one.backend->health(now) == Health::State::kDue;
  };
  if (std::ranges::any_of(all, is_due)) {
    choose_from(true);
    if (std::ranges::any_of(choice.candidates, is_due))
      choice.with_those_due = std::make_shared<const Choice>(choice);
  }
  choose_from(false);
  choice.used_all_the_same = ambbpf::used_all_the_same(choice.candidates, now);
  return choice;
}

void Service::choose(Clock::time_point now) {
  const auto limited_before = choice_->used_all_the_same;
  choice_ = std::make_shared<const Choice>(choice_at(now));
  if ((limited_before > 0) != (choice_->used_all_the_same > 0)) record_limit(limited_before);
  line_for_endpoints.call_first();
  for (const auto& waiter : std::exchange(waiting_, {})) {
    // The timer is its own thread's: it is cancelled there, after the wait has begun.
    if (auto timer = waiter.lock()) asio::post(timer->get_executor(), [timer] { timer->cancel(); });
  }
}

std::shared_ptr<const Choice> Service::choice() {
  const auto now = Clock::now();
  const std::scoped_lock lock(mutex_);
  if (now >= choice_->until) choose(now);
  return choice_;
}

std::size_t Service::used_all_the_same() const {
  const std::scoped_lock lock(mutex_);
  return choice_->used_all_the_same;
}

std::shared_ptr<Backend> Service::pick(const Client& client, const Backends& tried) {
  const auto present = choice();
  const auto turn = turn_.fetch_add(1, std::memory_order_relaxed);
  if (present->with_those_due)
    if (auto tries = begin_trial(*present->with_those_due, client, turn, tried)) return tries;
  const auto* picked = present->pick(client, turn);
  if (!picked) return nullptr;
  const auto is_tried = [&tried](const Candidate& candidate) {
    return std::ranges::find(tried, candidate.backend) != tried.end();
  };
  if (!is_tried(*picked)) return picked->backend;
  Choice others = *present;
  std::erase_if(others.candidates, is_tried);
  others.order = others.policy->order(others.candidates);
  const auto* other = others.pick(client, turn);
  return other ? other->backend : picked->backend;
}

BackendPlace::~BackendPlace() {
  if (!backend_) return;
  backend_->leave_place();
  service_->line_for_endpoints.call_first();
}

Service::Claim Service::claim(const Client& client, const Backends& tried, std::uint64_t most) {
  const auto has = [](const Backends& some, const std::shared_ptr<Backend>& one) {
    return std::ranges::find(some, one) != some.end();
  };
  Backends passed_over = tried;
  for (;;) {
    auto backend = pick(client, passed_over);
    if (!backend) return {};
    const bool is_last = has(passed_over, backend);
    if (is_last && passed_over.size() > tried.size()) return {.all_full = true};
    if (backend->take_place(most)) return {.place = BackendPlace(*this, std::move(backend))};
    if (is_last) return {.all_full = true};
    passed_over.push_back(backend);
    for (const auto& candidate : choice()->candidates)
      if (candidate.backend->places_taken() >= most && !has(passed_over, candidate.backend))
        passed_over.push_back(candidate.backend);
  }
}

// Null: it is nobody's turn who is due for one.
std::shared_ptr<Backend> Service::begin_trial(const Choice& with_those_due, const Client& client,
                                              std::uint64_t turn, const Backends& tried) {
  const auto* picked = with_those_due.pick(client, turn);
  if (!picked || std::ranges::find(tried, picked->backend) != tried.end()) return nullptr;
  const auto now = Clock::now();
  if (!picked->backend->begin_trial(now)) return nullptr;
  const std::scoped_lock lock(mutex_);
  choose(now);
  return picked->backend;
}

bool Service::report(Backend& backend, BackendOutcome outcome, std::string_view why) {
  using Change = Health::Change;
  const bool reset = outcome == BackendOutcome::kEarlyReset;
  const bool connect_failed = outcome == BackendOutcome::kConnectFailed;
  const bool good = !reset && !connect_failed;
  if (good && !backend.is_suspect()) return false;
  if (connect_failed) ++connect_failures;
  if (reset) ++early_resets;
  const auto now = Clock::now();
  const auto failing = good ? backend.failing() : std::nullopt;
  const auto change = backend.report(outcome, now, why, reset ? balance().eject_resets : 0);
  if (change == Change::kNone) return false;
  if (change == Change::kEjected) ++(reset ? reset_ejections : connect_ejections);
  std::shared_ptr<const Choice> choice;
  {
    const std::scoped_lock lock(mutex_);
    choose(now);
    choice = choice_;
  }
  // That it goes on failing is no news: one that is gone would fill the list of events.
  if (change == Change::kEjected)
    record_ejection(backend, *choice, {.what = std::string(why), .heard = now});
  else if (change == Change::kProven && failing)
    record_return(*failing, backend, *choice, outcome);
  return change != Change::kEjectedAgain;
}

void Service::choose_by(Balance balance) {
  const std::scoped_lock lock(mutex_);
  if (balance_ == balance) return;
  balance_ = std::move(balance);
  choose(Clock::now());
}

Balance Service::balance() const {
  const std::scoped_lock lock(mutex_);
  return balance_;
}

void Service::override_by(Overrides overrides) {
  const std::scoped_lock lock(mutex_);
  if (overrides_ == overrides) return;
  overrides_ = std::move(overrides);
  choose(Clock::now());
}

Overrides Service::overrides() const {
  const std::scoped_lock lock(mutex_);
  return overrides_;
}

std::shared_ptr<const EndpointSet> Service::in_force() const {
  const std::scoped_lock lock(mutex_);
  return in_force_;
}

awaitable<void> Service::wait_for_change(std::uint64_t seen, Clock::time_point deadline) {
  auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor, deadline);
  {
    const std::scoped_lock lock(mutex_);
    if (choice_->version != seen) co_return;
    std::erase_if(waiting_, [](const auto& waiter) { return waiter.expired(); });
    waiting_.push_back(timer);
  }
  co_await timer->async_wait(as_tuple);
}

}  // namespace ambbpf
