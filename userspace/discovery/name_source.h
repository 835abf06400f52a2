// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "userspace/discovery/name_status.h"
#include "userspace/discovery/names.h"
#include "userspace/discovery/source.h"
#include "userspace/dns/followed_name.h"

namespace ambbpf {

// The addresses of one host name (dns/resolver.h), all of them. They are asked for again when they
// have aged, and soon after connecting to one of them has failed. While nobody answers, and where
// the name has gone, the last good answer stays.
class NameSource final : public Source {
 public:
  NameSource(std::shared_ptr<Resolver> resolver, HostAndPort target);

  awaitable<void> run(Publish publish) override;
  SourceStatus status() const override { return status_.status(); }
  void doubt() override;

 private:
  void heard();

  const std::shared_ptr<Resolver> resolver_;
  const HostAndPort target_;
  NameStatus status_;
  Publish publish_;
  std::optional<std::vector<Endpoint>> published_;
  std::optional<FollowedName> followed_;  // while run() does; last: it calls heard()
};

}  // namespace ambbpf
