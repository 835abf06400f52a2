// SPDX-License-Identifier: Apache-2.0
// The containers of this host as endpoints, reached directly at their own addresses.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/discovery/source.h"
#include "userspace/docker/follower.h"
#include "userspace/docker/labels.h"

namespace ambbpf {

// How containers are looked at.
struct ContainerRules {
  bool ignore_health = false;  // of those that run
  TraefikLabels traefik = TraefikLabels::kIgnored;
};

// The endpoints of one service among the containers that provide it (docker/labels.h).
struct ContainerEndpoints {
  std::vector<Endpoint> endpoints;
  std::vector<RejectedValue> rejected;
};
ContainerEndpoints endpoints_of(const Containers& containers, const std::string& service,
                                const ContainerRules& rules);

class DockerSource final : public Source {
 public:
  // `follower` outlives *this.
  DockerSource(DockerFollower& follower, std::string service, const ContainerRules& rules);
  DockerSource(const DockerSource&) = delete;
  DockerSource& operator=(const DockerSource&) = delete;

  awaitable<void> run(Publish publish) override;
  SourceStatus status() const override;

 private:
  void take(const Containers& containers);

  const DockerFollower& follower_;
  const std::string service_;
  const ContainerRules rules_;
  Publish publish_;
  std::optional<std::vector<Endpoint>> published_;
  std::vector<RejectedValue> rejected_;
  std::uint64_t rejected_total_ = 0;
  std::shared_ptr<const DockerFollower::Subscriber> subscriber_;  // last: it calls take() at once
};

// One Docker Engine as the source of many services.
class DockerCatalogue final : public Catalogue {
 public:
  DockerCatalogue(DockerFollower& follower, const ContainerRules& rules)
      : follower_(follower), rules_(rules) {}

  std::unique_ptr<Source> source_of(std::string service) override;
  awaitable<void> run() override { return follower_.run(); }

 private:
  DockerFollower& follower_;
  const ContainerRules rules_;
};

}  // namespace ambbpf
