// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/vanished.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

constexpr auto kTogether = 1s;
constexpr unsigned kMostUnanswered = 2;

std::set<tcp::endpoint> addresses_of(const std::vector<Endpoint>& endpoints) {
  std::set<tcp::endpoint> addresses;
  for (const auto& endpoint : endpoints) addresses.insert(endpoint.address);
  return addresses;
}

}  // namespace

std::size_t VanishedTogether::publish(std::vector<Endpoint> endpoints, Clock::time_point now,
                                      Clock::duration grace) {
  const auto addresses = addresses_of(endpoints);
  const auto is_listed = [&addresses](const auto& one) {
    return addresses.contains(one.endpoint.address);
  };
  std::erase_if(kept_, is_listed);
  std::erase_if(lately_,
                [&](const Gone& gone) { return is_listed(gone) || now - gone.since > kTogether; });
  auto order = in_force();
  for (auto& endpoint : std::exchange(published_, std::move(endpoints)))
    if (!addresses.contains(endpoint.address)) lately_.push_back({std::move(endpoint), now});
  const bool together =
      lately_.size() >= 2 && lately_.size() * 2 >= lately_.size() + addresses.size();
  if (grace <= Clock::duration::zero() || !together) return 0;
  const auto count = lately_.size();
  if (kept_.empty()) {
    before_.clear();
    for (const auto& endpoint : order) before_.push_back(endpoint.address);
  }
  for (auto& gone : std::exchange(lately_, {}))
    kept_.push_back({.endpoint = std::move(gone.endpoint), .until = now + grace});
  return count;
}

void VanishedTogether::note(const tcp::endpoint& address, bool answers) {
  for (auto& kept : kept_)
    if (kept.endpoint.address == address) kept.unanswered = answers ? 0 : kept.unanswered + 1;
  std::erase_if(kept_, [](const Kept& kept) { return kept.unanswered >= kMostUnanswered; });
}

void VanishedTogether::end_those_due(Clock::time_point now) {
  std::erase_if(kept_, [now](const Kept& kept) { return kept.until <= now; });
}

std::vector<Endpoint> VanishedTogether::in_force() const {
  if (kept_.empty()) return published_;
  std::map<tcp::endpoint, const Endpoint*> all;
  for (const auto& endpoint : published_) all.emplace(endpoint.address, &endpoint);
  for (const auto& kept : kept_) all.emplace(kept.endpoint.address, &kept.endpoint);
  std::vector<Endpoint> ordered;
  const auto take = [&](const tcp::endpoint& address) {
    const auto found = all.find(address);
    if (found == all.end()) return;
    ordered.push_back(*found->second);
    all.erase(found);
  };
  for (const auto& address : before_) take(address);
  for (const auto& endpoint : published_) take(endpoint.address);
  for (const auto& kept : kept_) take(kept.endpoint.address);
  return ordered;
}

}  // namespace ambbpf
