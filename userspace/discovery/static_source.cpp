// SPDX-License-Identifier: Apache-2.0
#include "userspace/discovery/static_source.h"

namespace ambbpf {

awaitable<void> StaticSource::run(Publish publish) {
  published_at_ = Clock::now();
  publish(endpoints_, {.what = "the configuration"});
  co_await until_cancelled();
}

SourceStatus StaticSource::status() const {
  SourceStatus status;
  status.kind = "static";
  status.from = "configuration";
  if (!published_at_) return status;
  status.state = SourceStatus::State::kFollowing;
  status.endpoints = endpoints_.size();
  status.heard_at = published_at_;
  return status;
}

}  // namespace ambbpf
