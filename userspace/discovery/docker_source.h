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

class DockerCatalogue;

// Fed by a DockerCatalogue.
class DockerSource final : public Source {
 public:
  DockerSource(DockerCatalogue& catalogue, std::string service);
  ~DockerSource() override;
  DockerSource(const DockerSource&) = delete;
  DockerSource& operator=(const DockerSource&) = delete;

  awaitable<void> run(Publish publish) override;
  SourceStatus status() const override;

  void take(const Containers& containers);

 private:
  DockerCatalogue& catalogue_;
  const std::string service_;
  Publish publish_;
  std::optional<std::vector<Endpoint>> published_;
  std::vector<RejectedValue> rejected_;
  std::uint64_t rejected_total_ = 0;
};

// One Docker Engine as the source of many services.
class DockerCatalogue final : public Catalogue {
 public:
  DockerCatalogue(DockerFollower& follower, bool ignore_health)
      : follower_(follower), ignore_health_(ignore_health) {}

  std::unique_ptr<Source> source_of(std::string service) override;
  awaitable<void> run() override;

  // For its sources.
  void add(DockerSource& source);
  void remove(DockerSource& source) { std::erase(sources_, &source); }
  bool ignore_health() const { return ignore_health_; }
  const DockerStatus& status() const { return follower_.status(); }

 private:
  DockerFollower& follower_;
  const bool ignore_health_;
  std::vector<DockerSource*> sources_;
};

}  // namespace ambbpf
