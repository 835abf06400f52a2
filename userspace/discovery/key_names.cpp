// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/key_names.h"

#include <algorithm>

namespace ambbpf {
namespace {

using namespace std::chrono_literals;

constexpr auto kBurst = 50ms;      // what comes within it is told together
constexpr auto kLongestWait = 2s;  // for names that have just come
constexpr std::size_t kFewNames = Resolver::kMostAtOnce;

}  // namespace

KeyNames::KeyNames(std::shared_ptr<Resolver> resolver, std::function<void()> changed)
    : resolver_(std::move(resolver)),
      changed_(std::move(changed)),
      telling_(
          std::make_shared<asio::steady_timer>(resolver_->executor(), Clock::time_point::max())) {}

void KeyNames::follow(const std::set<std::string_view>& names) {
  std::erase_if(names_, [&](const auto& followed) { return !names.contains(followed.first); });
  const auto now = Clock::now();
  for (const auto name : names) {
    if (names_.contains(name)) continue;
    const std::string key(name);
    auto followed = std::make_unique<FollowedName>(
        resolver_, DnsQuestion{DnsQuestion::Kind::kAddresses, key}, [this, key] { heard(key); });
    names_.emplace(key, Followed{.name = std::move(followed), .since = now, .changes = 0});
    tell_at(now + kLongestWait);
  }
}

const FollowedName::State* KeyNames::state_of(std::string_view name) const {
  const auto followed = names_.find(name);
  return followed == names_.end() ? nullptr : &followed->second.name->state();
}

bool KeyNames::is_waiting() const {
  const auto now = Clock::now();
  return std::ranges::any_of(names_, [now](const auto& followed) {
    const auto& [name, since, changes] = followed.second;
    return !name->state().is_settled() && now < since + kLongestWait;
  });
}

void KeyNames::heard(const std::string& name) {
  auto& followed = names_.at(name);
  const auto changes = followed.name->state().changes;
  if (std::exchange(followed.changes, changes) != changes) tell_at(Clock::now() + kBurst);
}

void KeyNames::tell_at(Clock::time_point when) {
  if (telling_->expiry() <= when) return;
  telling_->expires_at(when);
  telling_->async_wait([this, weak = std::weak_ptr(telling_)](boost::system::error_code error) {
    if (error || weak.expired()) return;  // with *this
    telling_->expires_at(Clock::time_point::max());
    changed_();
    if (is_waiting()) tell_at(Clock::now() + kLongestWait);
  });
}

void KeyNames::doubt() {
  if (names_.size() > kFewNames) return;
  for (const auto& [name, followed] : names_) followed.name->doubt();
}

}  // namespace ambbpf
