// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/set_history.h"

#include <fmt/format.h>

#include <algorithm>

#include "userspace/endpoints/change_log.h"
#include "userspace/events/event_log.h"

namespace ambbpf {
namespace {

std::string outcome_of(const std::set<tcp::endpoint>& before,
                       const std::set<tcp::endpoint>& after) {
  if (before != after) return describe_change(before, after);
  return fmt::format("other weights, names or order ({} endpoint{})", after.size(),
                     after.size() == 1 ? "" : "s");
}

}  // namespace

void SetHistory::changed(const std::string& service, const EndpointSet& before,
                         const EndpointSet& set, std::uint64_t version, const Cause& cause) {
  using std::chrono::microseconds;
  const auto took = std::chrono::duration_cast<microseconds>(Clock::now() - cause.heard);
  std::set<tcp::endpoint> addresses;
  for (const auto& listed : set) addresses.insert(listed.backend->address());
  remember_gone(before, addresses, cause);
  event_log().record({.service = service,
                      .kind = std::string(event_kind::kSetChanged),
                      .outcome = outcome_of(addresses_, addresses),
                      .endpoints = addresses.size(),
                      .version = version,
                      .took_us = static_cast<std::uint64_t>(took.count())},
                     cause);
  addresses_ = std::move(addresses);
}

void SetHistory::remember_gone(const EndpointSet& before, const std::set<tcp::endpoint>& addresses,
                               const Cause& cause) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(gone_, [&](const auto& gone) { return addresses.contains(gone.address); });
  for (const auto& listed : before)
    if (const auto& address = listed.backend->address(); !addresses.contains(address))
      gone_.push_front({address, listed.found_as, cause});
  if (gone_.size() > kMostGone) gone_.resize(kMostGone);
}

std::vector<GoneEndpoint> SetHistory::gone() const {
  const std::scoped_lock lock(mutex_);
  return {gone_.begin(), gone_.end()};
}

}  // namespace ambbpf
