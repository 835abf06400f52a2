// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "userspace/discovery/key_names.h"
#include "userspace/discovery/service_keys.h"
#include "userspace/discovery/source.h"
#include "userspace/etcd/types.h"

namespace ambbpf {

class EtcdFollower;

// One service as etcd tells of it, whoever follows its keys: the set in force and what is to be
// said of it. Changes are published at once, but those of a burst together: the pause between two
// publications grows with what a publication costs.
class FollowedService {
 public:
  FollowedService(std::string name, std::string directory, std::shared_ptr<Resolver> resolver);

  const std::string& directory() const { return keys_.directory(); }

  // Hands over what is known already. An empty function: nobody is there.
  void publish_to(Publish publish);

  // True if the listing is from another cluster, which lists nothing: the set in force is kept.
  bool listed(const EtcdPosition& position, const std::vector<EtcdKey>& keys, bool broken);
  void heard(const EtcdChange& change);
  void misplaced(std::string key) { misplaced_ = std::move(key); }

  // Publishes what has changed, or tells when that is due.
  std::optional<Clock::time_point> publish(Clock::time_point now);

  // Who follows the keys now; null: nobody since this position.
  const EtcdFollower* follower() const { return follower_; }
  void followed_by(const EtcdFollower* follower) { follower_ = follower; }
  const EtcdPosition& position() const { return position_; }
  void position(EtcdPosition position) { position_ = std::move(position); }

  bool has_published() const { return published_.has_value(); }
  // Host names in its values are asked for again.
  void doubt_names() { names_.doubt(); }

  bool fresh() const;  // the last listing is so young that nobody can know better
  SourceStatus status(SourceStatus of_follower) const;

 private:
  std::vector<Endpoint> endpoints() const;  // of its keys, as they are and resolve now
  void heard_of_names();
  void publish_set();
  void record_rejected(const Cause& cause);
  void record_kept() const;
  std::string note(SourceStatus::State state) const;
  ServiceKeys::StateOfName state_of_names() const;

  const std::string name_;
  ServiceKeys keys_;
  Publish publish_;
  std::optional<std::vector<Endpoint>> published_;
  bool kept_ = false;  // published_ is from an earlier cluster, and the new one lists none
  std::string misplaced_;
  std::uint64_t events_ = 0;
  // Of what is not published yet: heard when the oldest change was, it names the newest.
  std::optional<Cause> cause_;
  std::size_t changes_ = 0;
  Histogram propagation_{Histogram::latencies()};

  const EtcdFollower* follower_ = nullptr;
  EtcdPosition position_;  // of the last listing, or where the last follower ended
  Clock::time_point listed_at_;
  Clock::time_point next_publication_;

  std::set<std::string> unresolved_;  // keys, of those that were told
  std::uint64_t unresolved_total_ = 0;
  LogLimit unresolved_log_{5};
  KeyNames names_;  // last: it calls heard_of_names()
};

}  // namespace ambbpf
