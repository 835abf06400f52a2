// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "userspace/discovery/source.h"

namespace ambbpf {

// Endpoints that stay as they are.
class StaticSource final : public Source {
 public:
  explicit StaticSource(std::vector<Endpoint> endpoints) : endpoints_(std::move(endpoints)) {}

  awaitable<void> run(Publish publish) override;
  SourceStatus status() const override;

 private:
  const std::vector<Endpoint> endpoints_;
  std::optional<Clock::time_point> published_at_;
};

}  // namespace ambbpf
