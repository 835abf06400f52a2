// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/name_source.h"

#include <fmt/format.h>

namespace ambbpf {

NameSource::NameSource(std::shared_ptr<Resolver> resolver, HostAndPort target)
    : resolver_(std::move(resolver)),
      target_(std::move(target)),
      status_("name", to_string(target_), target_.host) {}

// Everything comes through heard().
awaitable<void> NameSource::run(Publish publish) {
  publish_ = std::move(publish);
  followed_.emplace(resolver_, DnsQuestion{DnsQuestion::Kind::kAddresses, target_.host},
                    [this] { heard(); });
  co_await until_cancelled();
  followed_.reset();
}

void NameSource::heard() {
  const auto& state = followed_->state();
  status_.heard(state, !state.is_failing);
  if (state.is_failing) return;
  std::vector<Endpoint> endpoints;
  for (const auto& address : state.answer->addresses)
    endpoints.push_back({{address, target_.port}, status_.status().from});
  if (published_ == endpoints) return;
  published_ = std::move(endpoints);
  status_.published(published_->size());
  publish_(*published_, {.what = fmt::format("the addresses of {}", target_.host),
                         .heard = state.answer->heard});
}

void NameSource::doubt() {
  if (followed_) followed_->doubt();
}

}  // namespace ambbpf
