// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/service.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

bool Backend::connect_failed(Clock::time_point now) {
  constexpr auto kFirstRest = 1s;
  constexpr auto kLongestRest = 30s;
  failed_connects.fetch_add(1, std::memory_order_relaxed);
  const auto earlier = failures_in_a_row_.fetch_add(1, std::memory_order_relaxed);
  const Clock::duration rest =
      std::min<Clock::duration>(kLongestRest, kFirstRest * (1U << std::min(5U, earlier)));
  ejected_until_.store((now + rest).time_since_epoch().count(), std::memory_order_relaxed);
  return earlier == 0;
}

bool Backend::connect_succeeded() {
  ejected_until_.store(0, std::memory_order_relaxed);
  return failures_in_a_row_.exchange(0, std::memory_order_relaxed) != 0;
}

Clock::time_point Backend::ejected_until() const {
  return Clock::time_point(Clock::duration(ejected_until_.load(std::memory_order_relaxed)));
}

Publish Service::add_source() {
  const std::scoped_lock lock(mutex_);
  sources_.emplace_back();
  return [this, source = sources_.size() - 1](std::vector<Endpoint> endpoints) {
    publish(source, std::move(endpoints));
  };
}

void Service::publish(std::size_t source, std::vector<Endpoint> endpoints) {
  const std::scoped_lock lock(mutex_);
  if (sources_[source] == endpoints) return;
  sources_[source] = std::move(endpoints);
  put_in_force(unite());
}

void Service::judge_again() {
  const std::scoped_lock lock(mutex_);
  put_in_force(unite());
}

Service::Union Service::unite() const {
  std::map<tcp::endpoint, std::shared_ptr<Backend>> known;
  for (const auto& listed : *in_force_) known.emplace(listed.backend->address(), listed.backend);

  Union united;
  for (const auto& source : sources_) {
    for (const auto& endpoint : source) {
      if (auto reason = objection_ ? objection_(endpoint.address) : ""; !reason.empty()) {
        united.rejected.push_back({endpoint.found_as, std::move(reason)});
        continue;
      }
      if (!united.addresses.insert(endpoint.address).second) continue;
      auto& backend = known[endpoint.address];
      if (!backend) backend = std::make_shared<Backend>(endpoint.address);
      united.endpoints.push_back({backend, endpoint.found_as});
    }
  }
  return united;
}

void Service::log_new(const std::vector<RejectedValue>& rejected) const {
  constexpr std::size_t kMost = 10;  // lines
  std::set<std::string_view> known;
  for (const auto& value : rejected_) known.insert(value.key);
  std::size_t news = 0;
  for (const auto& value : rejected)
    if (!known.contains(value.key) && ++news <= kMost)
      log::warn("service {}: {}: value rejected: {}", name_, value.key, value.reason);
  if (news > kMost) log::warn("service {}: {} more values rejected", name_, news - kMost);
}

void Service::put_in_force(Union united) {
  change_log_.tell(name_, std::move(united.addresses));
  log_new(united.rejected);
  rejected_ = std::move(united.rejected);
  if (united.endpoints == *in_force_) return;
  in_force_ = std::make_shared<const EndpointSet>(std::move(united.endpoints));
  ++version_;
  for (const auto& waiter : std::exchange(waiting_, {})) {
    // The timer is its own thread's: it is cancelled there, after the wait has begun.
    if (auto timer = waiter.lock()) asio::post(timer->get_executor(), [timer] { timer->cancel(); });
  }
}

std::shared_ptr<Backend> Service::pick() {
  const auto set = in_force();
  if (set->empty()) return nullptr;
  const auto first = next_.fetch_add(1, std::memory_order_relaxed);
  const auto now = Clock::now();
  for (std::size_t i = 0; i < set->size(); ++i) {
    const auto& backend = (*set)[(first + i) % set->size()].backend;
    if (!backend->ejected(now)) return backend;
  }
  return (*set)[first % set->size()].backend;
}

std::shared_ptr<const EndpointSet> Service::in_force() const {
  const std::scoped_lock lock(mutex_);
  return in_force_;
}

std::vector<RejectedValue> Service::rejected() const {
  const std::scoped_lock lock(mutex_);
  return rejected_;
}

bool Service::admit_connection() {
  if (connections_now.fetch_add(1) >= most_connections_) {
    --connections_now;
    return false;
  }
  ++connections_total;
  return true;
}

std::uint64_t Service::version() const {
  const std::scoped_lock lock(mutex_);
  return version_;
}

awaitable<void> Service::wait_for_change(std::uint64_t seen, Clock::time_point deadline) {
  auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor, deadline);
  {
    const std::scoped_lock lock(mutex_);
    if (version_ != seen) co_return;
    std::erase_if(waiting_, [](const auto& waiter) { return waiter.expired(); });
    waiting_.push_back(timer);
  }
  co_await timer->async_wait(as_tuple);
}

}  // namespace ambbpf
