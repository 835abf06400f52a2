// SPDX-License-Identifier: Apache-2.0
#include "userspace/health/health_checks.h"

#include <algorithm>
#include <set>

#include "userspace/health/schedule.h"

namespace ambbpf {
namespace {

// Also of a coroutine that was cancelled while it held it.
class CheckPlace {
 public:
  explicit CheckPlace(std::shared_ptr<CheckPlaces> places) : places_(std::move(places)) {}
  ~CheckPlace() { places_->leave(); }
  CheckPlace(const CheckPlace&) = delete;
  CheckPlace& operator=(const CheckPlace&) = delete;

 private:
  std::shared_ptr<CheckPlaces> places_;
};

awaitable<Result<void>> check_in_place(std::shared_ptr<CheckPlaces> places,
                                       std::shared_ptr<const Check> check, tcp::endpoint address) {
  const bool entered = co_await places->enter();
  if (!entered) co_return fail("cancelled");
  const CheckPlace place(places);
  co_return co_await run_check(std::move(check), address);
}

}  // namespace

awaitable<bool> CheckPlaces::enter() {
  const auto executor = co_await asio::this_coro::executor;
  while (free_ == 0) {
    const auto timer = std::make_shared<asio::steady_timer>(executor, Clock::time_point::max());
    waiting_.push_back(timer);
    co_await timer->async_wait(as_tuple);
    const auto stop = co_await asio::this_coro::cancellation_state;
    if (stop.cancelled() == asio::cancellation_type::none) continue;
    if (free_ > 0) wake_one();  // in its place, which it may have been woken for
    co_return false;
  }
  --free_;
  co_return true;
}

void CheckPlaces::leave() {
  ++free_;
  wake_one();
}

void CheckPlaces::wake_one() {
  while (!waiting_.empty()) {
    const auto first = waiting_.front().lock();
    waiting_.pop_front();
    if (!first) continue;  // it has been cancelled
    first->cancel();
    return;
  }
}

HealthChecks::HealthChecks(asio::io_context& io, std::shared_ptr<Service> service,
                           std::shared_ptr<CheckPlaces> places)
    : state_(std::make_shared<State>(State{.executor = io.get_executor(),
                                           .service = std::move(service),
                                           .places = std::move(places)})) {}

// The coroutines have the state, and end in a later turn.
HealthChecks::~HealthChecks() {
  state_->check.reset();
  state_->watched.clear();
}

void HealthChecks::change(const CheckSettings& settings, ProxyVersion header) {
  const bool is_on = settings.kind != CheckKind::kNone;
  const bool was_on = state_->check != nullptr;
  if (!is_on && !was_on) return;
  if (!is_on) {
    following_.stop();
    state_->check.reset();
    for (const auto& [key, watched] : std::exchange(state_->watched, {}))
      state_->service->report_check(*watched.backend, std::nullopt);
    return;
  }
  auto check = make_check(state_->executor, settings, header);
  if (was_on && check.settings == state_->check->settings && check.header == state_->check->header)
    return;
  state_->check = std::make_shared<const Check>(std::move(check));
  std::vector<Watched*> all;
  for (auto& [key, watched] : state_->watched) all.push_back(&watched);
  begin(state_, all);
  if (!was_on) following_ = Task(state_->executor, follow(state_), state_);
}

awaitable<void> HealthChecks::follow(StatePtr state) {
  for (;;) {
    const auto version = state->service->choice()->version;
    compare(state);
    co_await state->service->wait_for_change(version, Clock::time_point::max());
  }
}

void HealthChecks::compare(const StatePtr& state) {
  if (!state->check) return;
  std::set<const Backend*> present;
  std::vector<Watched*> fresh;
  for (const auto& listed : *state->service->in_force()) {
    const auto* key = listed.backend.get();
    present.insert(key);
    const auto [place, is_new] =
        state->watched.try_emplace(key, Watched{.backend = listed.backend});
    if (is_new) fresh.push_back(&place->second);
  }
  std::erase_if(state->watched, [&](const auto& entry) { return !present.contains(entry.first); });
  begin(state, fresh);
}

void HealthChecks::begin(const StatePtr& state, const std::vector<Watched*>& all) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto first =
        first_check_after(i, all.size(), state->check->settings.interval, random_part(*state));
    all[i]->checking = Task(state->executor, check_on(state, all[i]->backend, first), state);
  }
}

awaitable<void> HealthChecks::check_on(StatePtr state, std::shared_ptr<Backend> backend,
                                       Clock::duration first) {
  const auto check = state->check;
  co_await sleep_for(first);
  for (;;) {
    const auto outcome = co_await check_in_place(state->places, check, backend->address());
    const auto stop = co_await asio::this_coro::cancellation_state;
    if (stop.cancelled() != asio::cancellation_type::none) co_return;  // it was not the endpoint
    take_in(*state, *backend, outcome);
    co_await sleep_for(next_check_after(check->settings.interval, random_part(*state)));
  }
}

void HealthChecks::take_in(State& state, Backend& backend, const Result<void>& outcome) {
  const auto found = state.watched.find(&backend);
  if (found == state.watched.end() || !state.check) return;
  auto& watched = found->second;
  const auto& settings = state.check->settings;
  ++(outcome ? state.service->checks_passed : state.service->checks_failed);
  const auto now = Clock::now();
  if (watched.state.count(outcome.has_value(), settings.rise, settings.fall)) watched.since = now;
  if (!outcome) watched.last_error = outcome.error().message();
  state.service->report_check(backend, Checked{.is_down = !watched.state.is_up(),
                                               .since = watched.since,
                                               .at = now,
                                               .passed = outcome.has_value(),
                                               .last_error = watched.last_error});
}

double HealthChecks::random_part(State& state) {
  return std::uniform_real_distribution<double>(0, 1)(state.random);
}

}  // namespace ambbpf
