// SPDX-License-Identifier: Apache-2.0
#include "userspace/docker/inspections.h"

namespace ambbpf {
namespace {

constexpr std::size_t kAtOnce = 16;

}  // namespace

void Inspections::ask(const std::string& id) {
  if (under_way_.contains(id)) {
    doubt(id);
    return;
  }
  waiting_.insert(id);
  begin_more();
}

void Inspections::doubt(const std::string& id) {
  if (const auto inspection = under_way_.find(id); inspection != under_way_.end())
    inspection->second = true;
}

void Inspections::begin_more() {
  while (under_way_.size() < kAtOnce && !waiting_.empty()) {
    auto id = std::move(waiting_.extract(waiting_.begin()).value());
    under_way_.emplace(id, false);
    auto work = inspect(std::move(id));
    auto stop = std::make_shared<asio::cancellation_signal>();
    stops_.insert(stop);
    spawn_stoppable(api_.executor(), std::move(work), stop->slot(), [this, stop] {
      stops_.erase(stop);
      one_ended_.cancel();
    });
  }
}

awaitable<void> Inspections::inspect(std::string id) {
  Answer answer;
  bool again = true;
  while (again) {
    under_way_[id] = false;
    answer = co_await api_.inspect(id);
    again = under_way_[id];
  }
  under_way_.erase(id);
  done_(id, std::move(answer));
  begin_more();
}

awaitable<void> Inspections::end() {
  waiting_.clear();
  for (const auto& stop : stops_) stop->emit(asio::cancellation_type::terminal);
  while (!stops_.empty()) {
    one_ended_.expires_at(Clock::time_point::max());
    co_await one_ended_.async_wait(as_tuple);
  }
  under_way_.clear();
}

}  // namespace ambbpf
