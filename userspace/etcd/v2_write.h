// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "userspace/etcd/writer.h"

namespace ambbpf {

// Through the v2 keys API: each key has a TTL, which a refresh renews without waking a watcher. Two
// who write the same value to one key cannot be told apart, and both keep it.
class EtcdV2Writer final : public EtcdWriter {
 public:
  EtcdV2Writer(EtcdClient& client, std::chrono::seconds ttl, std::chrono::milliseconds timeout);

  const char* name() const override { return "v2"; }
  std::chrono::seconds ttl() const override { return ttl_; }
  awaitable<Result<bool>> open(std::string url) override;
  awaitable<Result<EtcdFound>> put(std::string url, OwnKey key, PutGuard guard) override;
  awaitable<Result<std::vector<EtcdFound>>> keep(std::string url,
                                                 std::vector<OwnKey> keys) override;
  awaitable<Result<EtcdFound>> remove(std::string url, OwnKey key) override;
  awaitable<Result<std::vector<OwnKey>>> list(std::string url, std::string directory) override;
  awaitable<Result<void>> close(std::string url) override;

 private:
  struct Round;

  awaitable<void> keep_some(std::string url, std::shared_ptr<Round> round);
  awaitable<Result<EtcdFound>> set(std::string url, OwnKey key, std::string guard);
  awaitable<Result<EtcdFound>> keep_one(std::string url, OwnKey key);
  awaitable<Result<EtcdFound>> refresh(std::string url, OwnKey key);
  awaitable<Result<EtcdFound>> look(std::string url, OwnKey key);
  std::string value_and_ttl(const OwnKey& key) const;

  EtcdClient& client_;
  const std::chrono::seconds ttl_;
  const std::chrono::milliseconds timeout_;
  bool can_refresh_ = false;  // at the member opened last
};

}  // namespace ambbpf
