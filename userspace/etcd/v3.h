// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "userspace/etcd/client.h"
#include "userspace/etcd/types.h"

namespace ambbpf {

// Reads the keys below one directory through etcd's v3 API over its JSON gateway: a range, then one
// watch from the revision after it on. Same verbs as EtcdV2.
class EtcdV3 {
 public:
  static constexpr const char* kKind = "etcd v3";

  EtcdV3(EtcdClient& client, const std::string& directory, const EtcdOptions& options);

  awaitable<Result<EtcdListing>> list(std::string url);
  awaitable<Result<EtcdNews>> next(std::string url, EtcdPosition known, Clock::time_point deadline);
  void interrupt();
  void stop() { watch_ = HttpStream(); }

 private:
  awaitable<std::string> key_without_slash(std::string url);
  awaitable<Result<EtcdNews>> begin_watch(std::string url, EtcdPosition known);

  EtcdClient& client_;
  const std::string directory_;
  const std::chrono::milliseconds timeout_;
  HttpStream watch_;
};

}  // namespace ambbpf
