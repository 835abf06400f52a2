// SPDX-License-Identifier: Apache-2.0
// Bodies of etcd's v2 keys API (0.4 to 3.5), decoded. Pure functions: text in, values out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/etcd/types.h"
#include "userspace/support/result.h"

namespace ambbpf {

// {"errorCode":100,"message":"Key not found","cause":"/services","index":3}
struct EtcdV2Error {
  static constexpr std::uint64_t kKeyNotFound = 100;
  static constexpr std::uint64_t kCompareFailed = 101;
  static constexpr std::uint64_t kKeyExists = 105;
  static constexpr std::uint64_t kEventIndexCleared = 401;

  std::uint64_t code = 0;
  std::string text;  // message and cause, fit for a log
};

struct EtcdV2Event {
  // Where a directory was made (or its TTL set), it takes the place of a key with a value: the
  // change is a removal of this alone, what may stand below it is as it was.
  EtcdChange change;
  std::uint64_t index = 0;  // of the event in the cluster's history
};

// A key with a value, after a write or a read.
struct EtcdV2Node {
  std::string value;
  std::uint64_t index = 0;  // of its last modification
};

// Nothing if the body is not an error of etcd's own ("404 page not found").
std::optional<EtcdV2Error> decode_v2_error(std::string_view body);

// The keys in an answer to a GET: the direct children of a directory, then deeper ones.
Result<std::vector<EtcdKey>> decode_v2_listing(std::string_view body);

// One event, as a long poll answers it.
Result<EtcdV2Event> decode_v2_event(std::string_view body);

// A directory is an Error.
Result<EtcdV2Node> decode_v2_node(std::string_view body);

// The keys with a TTL in an answer to a recursive GET, at any depth.
Result<std::vector<OwnKey>> decode_v2_mortal_keys(std::string_view body);

// Of the answer to /version: whether the whole cluster knows refresh=true (2.3 on). A server that
// does not would take the value left out for an empty one.
bool v2_can_refresh(std::string_view version);

}  // namespace ambbpf
