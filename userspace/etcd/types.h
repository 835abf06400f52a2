// SPDX-License-Identifier: Apache-2.0
// What the two etcd APIs have in common, once decoded.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ambbpf {

// How far a cluster's history is known: a v2 index or a v3 revision, and whose it is.
struct EtcdPosition {
  std::string cluster;  // the cluster's id as the API writes it; empty where it tells none (0.4)
  std::uint64_t index = 0;

  // True if one who was at `earlier` cannot have come here by following: another cluster, or one
  // that lost its history.
  bool breaks_with(const EtcdPosition& earlier) const {
    return cluster != earlier.cluster || index < earlier.index;
  }
  bool operator==(const EtcdPosition&) const = default;
};

struct EtcdKey {
  std::string key;  // whole: "/services/web/web-1"
  std::string value;

  bool operator==(const EtcdKey&) const = default;
};

// A key as it was last written.
struct OwnKey {
  std::string key;          // whole: "/services/web/web-1"
  std::string value;        // never empty
  std::uint64_t index = 0;  // of its last modification; 0: the answer to the write never came

  bool operator==(const OwnKey&) const = default;
};

// A full listing of a service's directory.
struct EtcdListing {
  bool served = true;  // false: the server answers but does not speak this API; the rest is empty
  EtcdPosition position;
  std::vector<EtcdKey> keys;
  std::string misplaced{};  // a key that would be one of these with a slash before it; may be empty
};

// A key's new value; without one the key is gone, and everything below it.
struct EtcdChange {
  std::string key;
  std::optional<std::string> value;

  bool operator==(const EtcdChange&) const = default;
};

// What a watch had to tell.
struct EtcdNews {
  std::vector<EtcdChange> changes;  // of one moment, in order; none: a sign of life
  std::uint64_t index = 0;          // the history is known up to here; 0: no further than before
  std::string list_again;           // why the watch cannot go on; empty: it can
};

// The user of an etcd with authentication switched on.
struct EtcdUser {
  std::string name;
  std::string password;

  bool operator==(const EtcdUser&) const = default;
};

enum class EtcdApi { kAuto, kV2, kV3 };

struct EtcdOptions {
  std::vector<std::string> urls;  // as parse_etcd_urls gives them; tried in this order
  std::string advice{};           // for who reads that none of them answers; may be empty
  std::string prefix = "/services";
  std::chrono::milliseconds request_timeout{5000};
  std::chrono::milliseconds quiet_before_list{60'000};  // a watch that tells nothing for so long
  std::chrono::milliseconds not_served_before_list{60'000};  // see SourceStatus::kNotServed

  bool operator==(const EtcdOptions&) const = default;
};

}  // namespace ambbpf
