// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/etcd/writer.h"

namespace ambbpf {

// Through the v3 JSON gateway: all keys hang on one lease, and what hangs on it is ours.
class EtcdV3Writer final : public EtcdWriter {
 public:
  EtcdV3Writer(EtcdClient& client, std::chrono::seconds ttl, std::chrono::milliseconds timeout);

  const char* name() const override { return "v3"; }
  std::chrono::seconds ttl() const override { return ttl_; }
  awaitable<Result<bool>> open(std::string url) override;
  awaitable<Result<EtcdFound>> put(std::string url, OwnKey key, PutGuard guard) override;
  awaitable<Result<std::vector<EtcdFound>>> keep(std::string url,
                                                 std::vector<OwnKey> keys) override;
  awaitable<Result<EtcdFound>> remove(std::string url, OwnKey key) override;
  awaitable<Result<std::vector<OwnKey>>> list(std::string url, std::string directory) override;
  awaitable<Result<void>> close(std::string url) override;

 private:
  awaitable<Result<bool>> grant(std::string url);
  awaitable<Result<bool>> keep_lease(std::string url);
  awaitable<Result<EtcdFound>> try_put(std::string url, OwnKey key, PutGuard guard);
  awaitable<Result<HttpResponse>> ask(std::string url, std::string call, std::string body);

  EtcdClient& client_;
  const std::chrono::seconds wanted_ttl_;
  const std::chrono::milliseconds timeout_;
  std::chrono::seconds ttl_;  // as etcd granted it, which may be longer
  std::uint64_t lease_ = 0;   // 0: none
};

}  // namespace ambbpf
