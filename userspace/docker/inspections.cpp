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
    spawn(api_.executor(), inspect(std::move(id)));
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

}  // namespace ambbpf
