// SPDX-License-Identifier: Apache-2.0
// The containers of this host as endpoints, reached directly at their own addresses.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/discovery/source.h"
#include "userspace/docker/follower.h"

namespace ambbpf {

// The endpoints of one service among the containers that provide it (docker/labels.h).
struct ContainerEndpoints {
  std::vector<Endpoint> endpoints;
  std::vector<RejectedValue> rejected;
};
ContainerEndpoints endpoints_of(const Containers& containers, const std::string& service,
                                bool ignore_health);

// Fed by a DockerCatalogue.
class DockerSource final : public Source {
 public:
  DockerSource(const DockerFollower& follower, std::string service, bool ignore_health);

  awaitable<void> run(Publish publish) override;
  SourceStatus status() const override;

  void take(const Containers& containers);

 private:
  const DockerFollower& follower_;
  const bool ignore_health_;
  const std::string service_;
  Publish publish_;
  std::optional<std::vector<Endpoint>> published_;
  std::vector<RejectedValue> rejected_;
  std::uint64_t rejected_total_ = 0;
};

// One Docker Engine as the source of many services: it is followed once for all of them. Its
// sources live for as long as run().
class DockerCatalogue {
 public:
  DockerCatalogue(DockerFollower& follower, bool ignore_health)
      : follower_(follower), ignore_health_(ignore_health) {}

  // Never ends, as DockerFollower::run().
  awaitable<void> run();

  // Before run().
  std::unique_ptr<Source> source_of(std::string service);

 private:
  DockerFollower& follower_;
  const bool ignore_health_;
  std::vector<DockerSource*> sources_;
};

}  // namespace ambbpf
