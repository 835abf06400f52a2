// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/srv_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "userspace/endpoints/standing.h"

namespace ambbpf {

std::vector<EndpointAttributes> attributes_of(std::span<const SrvRecord> records) {
  std::uint32_t heaviest = 0;
  std::set<std::uint32_t> priorities;
  for (const auto& record : records) {
    heaviest = std::max<std::uint32_t>(heaviest, record.weight);
    priorities.insert(record.priority);
  }
  const bool ranked = !priorities.empty() && *priorities.rbegin() > kMostPriority;
  std::vector<EndpointAttributes> all;
  for (const auto& record : records) {
    const std::uint32_t weight =
        heaviest > kMostWeight ? record.weight * kMostWeight / heaviest : record.weight;
    const auto rank = std::distance(priorities.begin(), priorities.find(record.priority));
    const auto priority = ranked ? static_cast<std::uint32_t>(rank) : record.priority;
    all.push_back({{"weight", std::to_string(std::max<std::uint32_t>(weight, 1))},
                   {"priority", std::to_string(priority)}});
  }
  return all;
}

SrvSource::SrvSource(std::shared_ptr<Resolver> resolver, SrvName service)
    : resolver_(std::move(resolver)),
      name_(std::move(service.name)),
      status_("srv", name_, name_) {}

awaitable<void> SrvSource::run(Publish publish) {
  publish_ = std::move(publish);
  records_.emplace(resolver_, DnsQuestion{DnsQuestion::Kind::kServices, name_},
                   [this] { heard_records(); });
  co_await until_cancelled();
  records_.reset();
  targets_.clear();
}

void SrvSource::heard_records() {
  const auto& state = records_->state();
  if (!state.is_failing) {
    auto before = std::exchange(targets_, {});
    for (const auto& record : state.answer->services) {
      if (record.target.empty() || targets_.contains(record.target)) continue;
      auto& target = targets_[record.target];
      if (auto known = before.extract(record.target)) {
        target = std::move(known.mapped());
        continue;
      }
      // With its dot it is whole (RFC 2782): no search domain is tried.
      target = std::make_unique<FollowedName>(
          resolver_, DnsQuestion{DnsQuestion::Kind::kAddresses, record.target + "."},
          [this, name = record.target] { heard_target(*targets_.at(name)); });
    }
  }
  status_.heard(state, all_resolve());
  publish();
}

void SrvSource::heard_target(const FollowedName& target) {
  status_.heard(target.state(), all_resolve());
  publish();
}

bool SrvSource::all_resolve() const {
  const auto resolves = [](const auto& target) { return target.second->state().resolves(); };
  return records_->state().resolves() && std::ranges::all_of(targets_, resolves);
}

// Of new records nothing counts before all that they lead to has been asked for; and where none of
// it resolves, what was known before is better.
void SrvSource::publish() {
  const auto is_settled = [](const auto& target) { return target.second->state().is_settled(); };
  const auto& state = records_->state();
  if (!state.answer || !std::ranges::all_of(targets_, is_settled)) return;
  status_.note(targets_.empty() ? "its SRV record says that there is no such service" : "");
  auto found = endpoints();
  if (found.empty() && !targets_.empty()) return;
  if (published_ == found) return;
  published_ = std::move(found);
  status_.published(published_->size());
  publish_(*published_, {.what = fmt::format("the SRV records of {}", name_)});
}

std::vector<Endpoint> SrvSource::endpoints() const {
  const auto& records = records_->state().answer->services;
  const auto attributes = attributes_of(records);
  std::vector<Endpoint> all;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto target = targets_.find(records[i].target);
    if (target == targets_.end() || !target->second->state().answer) continue;
    const auto from =
        fmt::format("{} {}", name_, to_string(HostAndPort{records[i].target, records[i].port}));
    for (const auto& address : target->second->state().answer->addresses)
      all.push_back({{address, records[i].port}, from, attributes[i]});
  }
  return all;
}

void SrvSource::doubt() {
  if (records_) records_->doubt();
  for (const auto& [name, target] : targets_) target->doubt();
}

}  // namespace ambbpf
