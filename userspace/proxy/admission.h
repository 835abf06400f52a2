// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "userspace/endpoints/service.h"
#include "userspace/proxy/client_limits.h"

namespace ambbpf {

// A client that was let in: counted as an open connection of its service, and of its backend once
// it has one, for as long as this lives. Nobody else counts those.
class Admission {
 public:
  // Nothing, and nothing counted, not even for a moment, where there are as many as there may be.
  static std::optional<Admission> to(const std::shared_ptr<Service>& service);

  Admission(Admission&& other) noexcept = default;
  Admission& operator=(Admission&& other) = delete;
  ~Admission();

  Service& service() const { return *service_; }
  // Null before served_by().
  const std::shared_ptr<Backend>& backend() const { return backend_; }
  // Since it was let in.
  Clock::duration lasts() const { return Clock::now() - since_; }

  // Nothing more is to be known of its client.
  void is_let_in() const { ++service_->connections_total; }
  // Its client's place is given back at its end.
  void keeps(ClientLimits::Place place) { place_ = std::move(place); }
  // The same of its place at a backend.
  void keeps(BackendPlace place) { backend_place_ = std::move(place); }
  void served_by(std::shared_ptr<Backend> backend);
  // What it has moved, all in all: at its end.
  void moved(std::uint64_t bytes_to_backend, std::uint64_t bytes_to_client);

 private:
  explicit Admission(std::shared_ptr<Service> service) : service_(std::move(service)) {}

  std::shared_ptr<Service> service_;  // null: moved from
  std::shared_ptr<Backend> backend_;
  ClientLimits::Place place_;
  BackendPlace backend_place_;
  Clock::time_point since_ = Clock::now();
};

}  // namespace ambbpf
