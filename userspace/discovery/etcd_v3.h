// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "userspace/discovery/etcd_types.h"
#include "userspace/discovery/http_client.h"

namespace ambbpf {

// Reads the keys below one directory through etcd's v3 API over its JSON gateway: a range, then one
// watch from the revision after it on. Same verbs as EtcdV2.
class EtcdV3 {
 public:
  static constexpr const char* kKind = "etcd v3";

  EtcdV3(HttpClient& http, const std::string& directory, const EtcdOptions& options);

  awaitable<Result<EtcdListing>> list(std::string url);
  awaitable<Result<EtcdNews>> next(std::string url, EtcdPosition known, Clock::time_point deadline);
  void interrupt();
  void stop() { watch_ = HttpStream(); }

 private:
  awaitable<Result<EtcdNews>> begin_watch(std::string url, EtcdPosition known);
  HttpRequest request(const std::string& url, const char* call, std::string body) const;

  HttpClient& http_;
  const std::string directory_;
  const std::chrono::milliseconds timeout_;
  std::size_t gateway_ = 0;  // under which of the gateway's names the last answer came
  HttpStream watch_;
};

}  // namespace ambbpf
