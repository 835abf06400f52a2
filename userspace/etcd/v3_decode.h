// SPDX-License-Identifier: Apache-2.0
// Requests to and answers of etcd's v3 API as its JSON gateway has them (3.0 on): bytes are base64,
// 64-bit numbers stand in strings, and fields that are zero are left out. Pure functions.
#pragma once

#include <cstdint>
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

// `directory` is "/services/web": its keys begin with "/services/web/".
std::string encode_v3_range(std::string_view directory);
std::string encode_v3_watch(std::string_view directory, std::uint64_t start_revision);

std::string encode_v3_authenticate(const EtcdUser& user);

Result<EtcdListing> decode_v3_listing(std::string_view body);

// An {"error":...} line, which ends the stream, is an Error.
Result<EtcdV3Watched> decode_v3_watched(std::string_view line);

// The token in the answer to an authentication, fit for a header field; empty where the member has
// authentication switched off.
Result<std::string> decode_v3_token(std::string_view body);

// True if a request was refused because of its token, or because it had none: another may help.
bool v3_refuses_token(std::string_view body);

// The words in the body of an error, whichever form it has; quoted where it has none. For a log.
std::string decode_v3_error(std::string_view body);

}  // namespace ambbpf
