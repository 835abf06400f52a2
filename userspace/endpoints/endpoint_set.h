// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "userspace/endpoints/backend.h"
#include "userspace/endpoints/endpoint.h"
#include "userspace/endpoints/standing.h"
#include "userspace/events/event.h"

namespace ambbpf {

// An endpoint in force and what is known of its backend.
struct ListedEndpoint {
  std::shared_ptr<Backend> backend;
  std::string found_as;           // Endpoint::found_as
  EndpointAttributes attributes;  // Endpoint::attributes
  Standing standing{};            // which they say

  bool operator==(const ListedEndpoint&) const = default;
};
using EndpointSet = std::vector<ListedEndpoint>;
using Backends = std::vector<std::shared_ptr<Backend>>;

// How a source hands over everything it knows, after every change, and what made it say so. The set
// replaces the source's previous one whole; order is kept; an address that stands twice counts
// once.
class Publish {
 public:
  Publish() = default;  // to nobody
  template <std::invocable<std::vector<Endpoint>, const Cause&> To>
  // NOLINTNEXTLINE(google-explicit-constructor): any function is one, as of std::function
  Publish(To to) : to_(std::move(to)) {}

  void operator()(std::vector<Endpoint> endpoints, const Cause& cause = {}) const {
    to_(std::move(endpoints), cause);
  }
  explicit operator bool() const { return static_cast<bool>(to_); }

 private:
  std::function<void(std::vector<Endpoint>, const Cause&)> to_;
};

}  // namespace ambbpf
