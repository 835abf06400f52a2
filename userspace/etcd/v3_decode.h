// SPDX-License-Identifier: Apache-2.0
// Answers of etcd's v3 API as its JSON gateway has them (3.0 on): bytes are base64, 64-bit numbers
// stand in strings, and fields that are zero are left out. Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/etcd/types.h"
#include "userspace/support/result.h"

namespace ambbpf {

// One line of a watch.
struct EtcdV3Watched {
  EtcdPosition position;            // header's cluster and revision
  std::vector<EtcdChange> changes;  // none: created, a progress notification, or canceled
  std::uint64_t index = 0;          // the history is known up to here; 0: no further than before
  std::string canceled;             // why etcd ended the watch; empty: it did not
};

// A lease as etcd grants it or keeps it alive. One that it does not know has a TTL of zero.
struct EtcdV3Lease {
  std::uint64_t id = 0;
  std::chrono::seconds ttl{0};
};

struct EtcdV3Value {
  std::string value;
  std::uint64_t index = 0;  // the revision of its last modification
  std::uint64_t lease = 0;  // 0: none
};

struct EtcdV3Txn {
  bool succeeded = false;                         // the condition held, or there was none
  std::uint64_t revision = 0;                     // of the cluster, and of what was written
  std::vector<std::optional<EtcdV3Value>> found;  // for each key read, what stands there
};

Result<EtcdListing> decode_v3_listing(std::string_view body);

// An {"error":...} line, which ends the stream, is an Error.
Result<EtcdV3Watched> decode_v3_watched(std::string_view line);

// The keys with a lease in an answer to a range.
Result<std::vector<OwnKey>> decode_v3_mortal_keys(std::string_view body);

Result<EtcdV3Lease> decode_v3_lease(std::string_view body);
Result<EtcdV3Lease> decode_v3_kept_lease(std::string_view line);

Result<EtcdV3Txn> decode_v3_txn(std::string_view body);

// The token in the answer to an authentication, fit for a header field; empty where the member has
// authentication switched off.
Result<std::string> decode_v3_token(std::string_view body);

// True if a request was refused because of its token, or because it had none: another may help.
bool v3_refuses_token(std::string_view body);

// The words in the body of an error, whichever form it has; quoted where it has none. For a log.
std::string decode_v3_error(std::string_view body);

}  // namespace ambbpf
