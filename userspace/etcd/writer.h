// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "userspace/etcd/client.h"
#include "userspace/etcd/types.h"

namespace ambbpf {

// What stands at a key, or why that is not for us to know.
struct EtcdFound {
  enum class Kind {
    kOurs,    // with `index`
    kLost,    // nothing, or not what we wrote, and nobody else's
    kOther,   // another writer's `text`
    kRefused  // etcd refuses this request for this key: `text` says why
  };
  Kind kind = Kind::kLost;
  std::uint64_t index = 0;
  std::string text;
};

enum class PutGuard { kNone, kUnlessOthers };

// Writes keys that go when they are not kept alive, through one of etcd's APIs. `url` is a
// member's; an error says that this member cannot be used now.
class EtcdWriter {
 public:
  virtual ~EtcdWriter() = default;

  virtual const char* name() const = 0;
  virtual std::chrono::seconds ttl() const = 0;

  // Before anything is asked of a member. False: it does not serve this API.
  virtual awaitable<Result<bool>> open(std::string url) = 0;

  // kOurs, or kOther where the guard held, or kRefused. The index of `key` does not matter.
  virtual awaitable<Result<EtcdFound>> put(std::string url, OwnKey key, PutGuard guard) = 0;

  // Keeps the keys for another TTL; what was found, in the same order.
  virtual awaitable<Result<std::vector<EtcdFound>>> keep(std::string url,
                                                         std::vector<OwnKey> keys) = 0;

  // Deletes the key if it is ours: kOurs: it was. Tells what stood there otherwise.
  virtual awaitable<Result<EtcdFound>> remove(std::string url, OwnKey key) = 0;

  // All keys below a directory, at any depth, that go when nobody keeps them alive.
  virtual awaitable<Result<std::vector<OwnKey>>> list(std::string url, std::string directory) = 0;

  // Once all keys are removed: gives back what kept them alive.
  virtual awaitable<Result<void>> close(std::string url) = 0;
};

}  // namespace ambbpf
