// SPDX-License-Identifier: Apache-2.0
// What the sources of a service say, united, with what is wrong in it.
#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "userspace/endpoints/service.h"
#include "userspace/events/event_log.h"
#include "userspace/support/log.h"

namespace ambbpf {

Service::SourceId Service::add_source() {
  const std::scoped_lock lock(publishing_);
  feeds_.push_back({next_source_});
  return next_source_++;
}

void Service::publish(SourceId source, std::vector<Endpoint> endpoints, const Cause& cause) {
  const std::scoped_lock lock(publishing_);
  const auto feed = std::ranges::find(feeds_, source, &Feed::source);
  if (feed == feeds_.end() || feed->endpoints == endpoints) return;  // it may be removed by now
  feed->endpoints = std::move(endpoints);
  unite(cause);
}

void Service::keep_sources(const std::vector<SourceId>& sources) {
  const std::scoped_lock lock(publishing_);
  std::vector<Feed> kept;
  for (const auto source : sources)
    kept.push_back(std::move(*std::ranges::find(feeds_, source, &Feed::source)));
  feeds_ = std::move(kept);
  unite({.what = "other sources, as the configuration says"});
}

void Service::judge_again() {
  const std::scoped_lock lock(publishing_);
  if (!judgement_stands() || change_log_.has_left_out())
    unite({.what = "addresses of this host have changed"});
}

bool Service::judgement_stands() const {
  return std::ranges::all_of(feeds_, [this](const auto& feed) {
    return std::ranges::all_of(feed.endpoints, [this](const Endpoint& endpoint) {
      const bool objected = objection_ && !objection_(endpoint.address).empty();
      return objected == objected_.contains(endpoint.address);
    });
  });
}

Service::Union Service::united_feeds() const {
  std::map<tcp::endpoint, std::shared_ptr<Backend>> known;
  for (const auto& listed : *in_force()) known.emplace(listed.backend->address(), listed.backend);

  Union united;
  for (const auto& [source, endpoints] : feeds_) {
    for (const auto& endpoint : endpoints) {
      if (auto reason = objection_ ? objection_(endpoint.address) : ""; !reason.empty()) {
        united.rejected.push_back({endpoint.found_as, std::move(reason)});
        united.objected.insert(endpoint.address);
        continue;
      }
      if (!united.addresses.insert(endpoint.address).second) continue;
      std::vector<std::string> wrong;
      auto standing = standing_of(endpoint.attributes, wrong);
      for (auto& reason : wrong) united.rejected.push_back({endpoint.found_as, std::move(reason)});
      auto& backend = known[endpoint.address];
      if (!backend) backend = std::make_shared<Backend>(endpoint.address);
      united.endpoints.push_back(
          {backend, endpoint.found_as, endpoint.attributes, std::move(standing)});
    }
  }
  return united;
}

void Service::unite(const Cause& cause) {
  auto united = united_feeds();
  auto endpoints = std::make_shared<const EndpointSet>(std::move(united.endpoints));
  std::vector<RejectedValue> rejected_before;
  objected_ = std::move(united.objected);
  std::shared_ptr<const EndpointSet> before;
  std::uint64_t version = 0;
  {
    const std::scoped_lock lock(mutex_);
    rejected_before = std::exchange(rejected_, united.rejected);
    before = in_force_;
    if (*endpoints != *before) {
      in_force_ = endpoints;
      choose(Clock::now());
      version = choice_->version;
    }
  }
  if (version != 0) set_history_.changed(name_, *before, *endpoints, version, cause);
  log_new(rejected_before, united, cause);
  change_log_.tell(name_, std::move(united.addresses));
}

void Service::log_new(const std::vector<RejectedValue>& before, const Union& united,
                      const Cause& cause) {
  constexpr std::size_t kMost = 10;  // lines
  std::set<std::string_view> known;
  for (const auto& value : before) known.insert(value.key);
  std::size_t news = 0;
  for (const auto& value : united.rejected) {
    if (known.contains(value.key) || ++news > kMost) continue;
    log::warn("service {}: {}: value rejected: {}", name_, value.key, value.reason);
    event_log().record({.service = name_,
                        .kind = std::string(event_kind::kRejected),
                        .outcome = value.key + ": " + value.reason},
                       cause);
  }
  if (news > kMost) log::warn("service {}: {} more values rejected", name_, news - kMost);
}

std::vector<RejectedValue> Service::rejected() const {
  const std::scoped_lock lock(mutex_);
  return rejected_;
}

}  // namespace ambbpf
