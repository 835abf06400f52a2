// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "userspace/docker/api.h"

namespace ambbpf {

// Inspects containers, several at a time: the engine lets nobody inspect one that is just being
// started or cleaned up, and those others must not wait for. Of one container only one inspection
// is under way, and an answer that may be older than what was heard since is asked for again.
class Inspections {
 public:
  // Nothing: there is no such container.
  using Answer = Result<std::optional<Container>>;
  using Done = std::function<void(const std::string& id, Answer answer)>;

  // `api` outlives *this, and *this its inspections.
  Inspections(DockerApi& api, Done done)
      : api_(api), done_(std::move(done)), one_ended_(api.executor()) {}

  void ask(const std::string& id);

  // Gives them all up; returns when none is under way.
  awaitable<void> end();

  // Whatever is being answered about the container is too old.
  void doubt(const std::string& id);

 private:
  void begin_more();
  awaitable<void> inspect(std::string id);

  DockerApi& api_;
  Done done_;
  std::set<std::string> waiting_;
  std::map<std::string, bool> under_way_;                       // true: to be asked again
  std::set<std::shared_ptr<asio::cancellation_signal>> stops_;  // one for each that has not ended
  asio::steady_timer one_ended_;
};

}  // namespace ambbpf
