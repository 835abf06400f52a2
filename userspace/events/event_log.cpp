// SPDX-License-Identifier: Apache-2.0
#include "userspace/events/event_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

namespace ambbpf {
namespace {

std::string rfc3339(std::chrono::system_clock::time_point when) {
  using std::chrono::microseconds;
  const auto second = std::chrono::floor<std::chrono::seconds>(when);
  const auto beyond = std::chrono::duration_cast<microseconds>(when - second);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(second)), beyond.count());
}

void shorten(std::string& text) {
  if (text.size() <= EventLog::kLongestText) return;
  text.resize(EventLog::kLongestText);
  text += "...";
}

}  // namespace

void EventLog::record(Event event, const Cause& cause) {
  event.cause = cause.what;
  event.revision = cause.revision;
  record(std::move(event));
}

void EventLog::record(Event event) {
  for (auto* text : {&event.service, &event.cause, &event.outcome}) shorten(*text);
  std::vector<std::weak_ptr<asio::steady_timer>> woken;
  {
    const std::scoped_lock lock(mutex_);
    event.id = ++last_;
    event.time = rfc3339(std::chrono::system_clock::now());
    keep(std::make_shared<const Event>(std::move(event)));
    if (count_ > kMost) drop_one();
    woken.swap(waiting_);
  }
  for (const auto& waiter : woken) {
    // The timer is its own thread's: it is cancelled there, after the wait has begun.
    if (auto timer = waiter.lock()) asio::post(timer->get_executor(), [timer] { timer->cancel(); });
  }
}

void EventLog::keep(std::shared_ptr<const Event> event) {
  const auto of = by_service_.try_emplace(event->service).first;
  auto& [service, kept] = *of;
  if (!kept.empty()) ranks_.erase(rank_of(kept));
  kept.push_back(std::move(event));
  ranks_.emplace(rank_of(kept), service);
  ++count_;
}

void EventLog::drop_one() {
  const auto most = std::prev(ranks_.end());
  const auto of = by_service_.find(most->second);
  auto& kept = of->second;
  kept.pop_front();
  auto service = ranks_.extract(most);
  --count_;
  if (kept.empty()) {
    by_service_.erase(of);
    return;
  }
  service.key() = rank_of(kept);
  ranks_.insert(std::move(service));
}

EventLog::Told EventLog::after(std::uint64_t id) const {
  Told told;
  {
    const std::scoped_lock lock(mutex_);
    told.last = last_;
    if (id > last_) id = 0;
    for (const auto& [service, kept] : by_service_) {
      const auto first =
          std::ranges::upper_bound(kept, id, {}, [](const auto& event) { return event->id; });
      told.events.insert(told.events.end(), first, kept.end());
    }
  }
  told.lost = told.last - id - told.events.size();
  std::ranges::sort(told.events, {}, [](const auto& event) { return event->id; });
  return told;
}

awaitable<void> EventLog::wait_for_later(std::uint64_t id, Clock::time_point deadline) {
  auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor, deadline);
  {
    const std::scoped_lock lock(mutex_);
    if (last_ != id) co_return;
    std::erase_if(waiting_, [](const auto& waiter) { return waiter.expired(); });
    waiting_.push_back(timer);
  }
  co_await timer->async_wait(as_tuple);
}

EventLog& event_log() {
  static EventLog log;
  return log;
}

}  // namespace ambbpf
