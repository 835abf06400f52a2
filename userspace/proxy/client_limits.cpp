// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/client_limits.h"

#include <algorithm>

namespace ambbpf {

using namespace std::chrono_literals;

namespace {

using Verdict = ClientLimits::Verdict;

Clock::duration interval_of(std::uint32_t a_second) { return Clock::duration(1s) / a_second; }

asio::ip::address_v6 client_of(const asio::ip::address& address) {
  constexpr std::size_t kNetwork = 8;  // bytes
  if (address.is_v4()) return asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4());
  auto bytes = address.to_v6().to_bytes();
  if (!address.to_v6().is_v4_mapped()) std::fill(bytes.begin() + kNetwork, bytes.end(), 0);
  return asio::ip::address_v6(bytes);
}

}  // namespace

bool RateLimit::has_room(std::uint32_t a_second, Clock::time_point now) const {
  return a_second == 0 || next_ - now <= Clock::duration(1s) - interval_of(a_second);
}

void RateLimit::pass(std::uint32_t a_second, Clock::time_point now) {
  if (a_second > 0) next_ = std::max(next_, now) + interval_of(a_second);
}

ClientLimits::Place::~Place() {
  if (limits_) limits_->leave(asio::ip::address_v6(client_));
}

void ClientLimits::change(const ClientLimitSettings& settings) {
  const std::scoped_lock lock(mutex_);
  settings_ = settings;
}

ClientLimits::Answer ClientLimits::ask(const asio::ip::address& client, Clock::time_point now) {
  const std::scoped_lock lock(mutex_);
  if (is_denied(client)) return {Verdict::kDenied};
  const auto& [allow, deny, most, rate, rate_of_a_client] = settings_;
  if (!rate_.has_room(rate, now)) return {Verdict::kTooFastForAll};
  if (most == 0 && rate_of_a_client == 0) {
    rate_.pass(rate, now);
    return {};
  }
  const auto address = client_of(client);
  auto& known = seen_now(address);
  if (most > 0 && known.open >= most) return {Verdict::kTooMany};
  if (!known.rate.has_room(rate_of_a_client, now)) return {Verdict::kTooFast};
  known.rate.pass(rate_of_a_client, now);
  rate_.pass(rate, now);
  ++known.open;
  return {Verdict::kWelcome, Place(shared_from_this(), address)};
}

std::size_t ClientLimits::clients() const {
  const std::scoped_lock lock(mutex_);
  return clients_.size();
}

bool ClientLimits::is_denied(const asio::ip::address& address) const {
  return contain(settings_.deny, address) ||
         (!settings_.allow.empty() && !contain(settings_.allow, address));
}

ClientLimits::Client& ClientLimits::seen_now(const asio::ip::address_v6& address) {
  if (const auto found = by_address_.find(address); found != by_address_.end()) {
    clients_.splice(clients_.end(), clients_, found->second);
    return *found->second;
  }
  if (clients_.size() >= kMostClients) forget_one();
  by_address_.emplace(address, clients_.insert(clients_.end(), {.address = address, .rate = {}}));
  return clients_.back();
}

// Who has connections open is not forgotten: of those there are never more than connections.
void ClientLimits::forget_one() {
  constexpr int kTries = 16;
  for (int i = 0; i < kTries; ++i) {
    if (clients_.front().open == 0) {
      by_address_.erase(clients_.front().address);
      clients_.pop_front();
      return;
    }
    clients_.splice(clients_.end(), clients_, clients_.begin());
  }
}

void ClientLimits::leave(const asio::ip::address_v6& address) {
  const std::scoped_lock lock(mutex_);
  const auto found = by_address_.find(address);
  auto& client = *found->second;
  if (--client.open > 0 || !client.rate.is_as_new(Clock::now())) return;
  clients_.erase(found->second);
  by_address_.erase(found);
}

}  // namespace ambbpf
