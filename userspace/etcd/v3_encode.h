// SPDX-License-Identifier: Apache-2.0
// Bodies of requests to etcd's v3 API, for its JSON gateway (v3_decode.h has the answers).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/etcd/types.h"

namespace ambbpf {

// A page of what stands below a directory: "/services/web" has the keys "/services/web/...".
struct EtcdV3Range {
  std::string directory;
  std::string from{};          // the first key; empty: the directory's first
  std::uint64_t limit = 0;     // keys; 0: all
  std::uint64_t revision = 0;  // 0: the newest
};

std::string encode_v3_range(const EtcdV3Range& range);
std::string encode_v3_watch(std::string_view directory, std::uint64_t start_revision);

std::string encode_v3_authenticate(const EtcdUser& user);

std::string encode_v3_grant(std::chrono::seconds ttl);
std::string encode_v3_lease(std::uint64_t id);  // to keep it alive, or to revoke it

// Transactions. `only_if_none`: where a key stands already, it is read instead.
std::string encode_v3_put(std::string_view key, std::string_view value, std::uint64_t lease,
                          bool only_if_none);
// Deletes the key if it was last modified at `index` (0: if there is none), and reads it otherwise.
std::string encode_v3_remove(std::string_view key, std::uint64_t index);
std::string encode_v3_read(const std::vector<std::string>& keys);

}  // namespace ambbpf
