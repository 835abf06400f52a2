// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/service.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "userspace/support/log.h"

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

// "127.0.0.1:80, 127.0.0.1:81", for a log line.
std::string addresses(const EndpointSet& set) {
  constexpr std::size_t kMost = 10;
  std::string list;
  for (std::size_t i = 0; i < std::min(set.size(), kMost); ++i)
    list += (i == 0 ? "" : ", ") + to_string(set[i].backend->address());
  if (set.size() > kMost) list += ", …";
  return list;
}

}  // namespace

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
  std::vector<std::weak_ptr<asio::steady_timer>> woken;
  {
    const std::scoped_lock lock(mutex_);
    if (sources_[source] == endpoints) return;
    sources_[source] = std::move(endpoints);
    const auto before = addresses(*in_force_);
    unite();
    ++version_;
    if (const auto now = addresses(*in_force_); now != before)
      log::info("service {}: {}", name_, now.empty() ? "no endpoint" : "now at " + now);
    woken.swap(waiting_);
  }
  for (const auto& waiter : woken) {
    // The timer is its own thread's: it is cancelled there, after the wait has begun.
    if (auto timer = waiter.lock()) asio::post(timer->get_executor(), [timer] { timer->cancel(); });
  }
}

void Service::unite() {
  std::map<tcp::endpoint, std::shared_ptr<Backend>> known;
  for (const auto& listed : *in_force_) known.emplace(listed.backend->address(), listed.backend);

  auto united = std::make_shared<EndpointSet>();
  std::set<tcp::endpoint> listed;
  for (const auto& source : sources_) {
    for (const auto& endpoint : source) {
      if (!listed.insert(endpoint.address).second) continue;
      auto& backend = known[endpoint.address];
      if (!backend) backend = std::make_shared<Backend>(endpoint.address);
      united->push_back({backend, endpoint.found_as});
    }
  }
  in_force_ = std::move(united);
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
