// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/discovery/source.h"
#include "userspace/dns/followed_name.h"
#include "userspace/endpoints/endpoint_value.h"
#include "userspace/etcd/types.h"
#include "userspace/support/log_limit.h"

namespace ambbpf {

// The keys directly below a service's directory, and what they stand for. Deeper keys, which are
// only counted, and names that begin with '_' (etcd hides those) are none of a service's.
class ServiceKeys {
 public:
  explicit ServiceKeys(std::string directory) : directory_(std::move(directory)) {}

  const std::string& directory() const { return directory_; }

  // Makes a full listing the whole truth.
  void replace(const std::vector<EtcdKey>& keys);

  // False if the change is none of this service's.
  bool apply(const EtcdChange& change);

  // Whether the endpoints may be others than when it was last taken.
  bool changed() const { return changed_; }
  void touch() { changed_ = true; }
  void take_changed() { changed_ = false; }

  // What is known of a host name that stands in place of an address; null: nothing.
  using StateOfName = std::function<const FollowedName::State*(std::string_view)>;

  // In the order of their keys; of a name each of its addresses.
  std::vector<Endpoint> endpoints(const StateOfName& state_of) const;
  bool has_any() const;  // key with a good value, whether its name resolves or not
  std::set<std::string_view> names() const;
  std::vector<RejectedValue> rejected() const;
  // Keys whose names do not resolve; what was known of them before stays.
  std::vector<RejectedValue> unresolved(const StateOfName& state_of) const;
  std::uint64_t rejected_total() const { return rejected_total_; }
  // Those that have come since it was last asked.
  std::vector<RejectedValue> take_newly_rejected() { return std::exchange(newly_rejected_, {}); }

  // In order. They may be those of another service ("team/db" below "team"), or a mistake.
  const std::set<std::string, std::less<>>& deeper() const { return deeper_; }

 private:
  struct Entry {
    std::string value;
    Result<EndpointValue> endpoint;
  };

  std::string_view name_of(std::string_view key) const;
  bool is_own(std::string_view key) const;
  bool is_deeper(std::string_view key) const;
  void set(const std::string& key, const std::string& value);
  bool remove(const EtcdChange& change);

  std::string directory_;
  std::map<std::string, Entry, std::less<>> entries_;  // by whole key
  std::set<std::string, std::less<>> deeper_;
  bool changed_ = false;
  std::uint64_t rejected_total_ = 0;
  std::vector<RejectedValue> newly_rejected_;
  LogLimit rejected_log_{5};
};

}  // namespace ambbpf
