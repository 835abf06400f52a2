// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "userspace/discovery/name_status.h"
#include "userspace/discovery/names.h"
#include "userspace/discovery/source.h"
#include "userspace/dns/followed_name.h"

namespace ambbpf {

// A record's weight and priority as those of endpoints (endpoints/standing.h). A weight of 0 is the
// least there is, and not none: RFC 2782 gives it one chance beside the sum of the others. What is
// more than endpoints can have is made smaller for all: weights in proportion, of priorities only
// the order is left.
std::vector<EndpointAttributes> attributes_of(std::span<const SrvRecord> records);

// The services that DNS names (RFC 2782): each record's target with all of its addresses, each of
// them with the record's weight. Records and addresses age on their own. While the records or the
// names they lead to do not resolve, the last good answer of each stays; what is new in the records
// counts when all of it has been asked for once.
class SrvSource final : public Source {
 public:
  SrvSource(std::shared_ptr<Resolver> resolver, SrvName service);

  awaitable<void> run(Publish publish) override;
  SourceStatus status() const override { return status_.status(); }
  void doubt() override;

 private:
  void heard_records();
  void heard_target(const FollowedName& target);
  bool all_resolve() const;
  void publish();
  std::vector<Endpoint> endpoints() const;

  const std::shared_ptr<Resolver> resolver_;
  const std::string name_;
  NameStatus status_;
  Publish publish_;
  std::optional<std::vector<Endpoint>> published_;
  // While run() follows them; last: they call back. The targets by name.
  std::map<std::string, std::unique_ptr<FollowedName>> targets_;
  std::optional<FollowedName> records_;
};

}  // namespace ambbpf
