// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "userspace/etcd/client.h"
#include "userspace/etcd/types.h"
#include "userspace/etcd/v3_encode.h"

namespace ambbpf {

// Reads the keys below one directory through etcd's v3 API over its JSON gateway: a range, page by
// page at one revision, then one watch from the revision after it on. Same verbs as EtcdV2.
class EtcdV3 {
 public:
  static constexpr const char* kKind = "etcd v3";

  EtcdV3(EtcdClient& client, const std::string& directory, const EtcdOptions& options);

  awaitable<Result<EtcdListing>> list(std::string url, std::string directory, EtcdWanted wanted);

  // API v2 puts a slash before every path, this one takes keys as they are. Only a hint: looks at
  // one page, and its failure is nobody's.
  awaitable<std::vector<std::string>> misplaced(std::string url, std::string directory,
                                                EtcdWanted wanted);
  awaitable<Result<EtcdNews>> next(std::string url, EtcdPosition known, Clock::time_point deadline);
  void interrupt();
  void stop() { watch_ = HttpStream(); }

 private:
  awaitable<Result<EtcdListing>> page(std::string url, EtcdV3Range range);
  awaitable<Result<EtcdNews>> begin_watch(std::string url, EtcdPosition known);

  EtcdClient& client_;
  const std::string directory_;
  const std::chrono::milliseconds timeout_;
  HttpStream watch_;
};

}  // namespace ambbpf
