// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "userspace/dns/followed_name.h"

namespace ambbpf {

// The host names that the values of a service's keys have in place of addresses: each is followed
// once, however many keys have it, and for as long as one has. On the resolver's thread.
class KeyNames {
 public:
  // `changed` is told of other addresses, and of names that begin or cease to resolve: those of a
  // burst together, in a later turn of the loop.
  KeyNames(std::shared_ptr<Resolver> resolver, std::function<void()> changed);
  KeyNames(const KeyNames&) = delete;
  KeyNames& operator=(const KeyNames&) = delete;

  // These from now on, and no others.
  void follow(const std::set<std::string_view>& names);

  // Null: it is not followed.
  const FollowedName::State* state_of(std::string_view name) const;

  // A name that has just come has not been asked for yet.
  bool is_waiting() const;

  // As FollowedName::doubt(), where the names are few: nobody knows which of them it is.
  void doubt();

 private:
  struct Followed {
    std::unique_ptr<FollowedName> name;
    Clock::time_point since;
    std::uint64_t changes = 0;  // of its state, that are told
  };
  void heard(const std::string& name);
  void tell_at(Clock::time_point when);

  const std::shared_ptr<Resolver> resolver_;
  const std::function<void()> changed_;
  const std::shared_ptr<asio::steady_timer> telling_;
  std::map<std::string, Followed, std::less<>> names_;
};

}  // namespace ambbpf
