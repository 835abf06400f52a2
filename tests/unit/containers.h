// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>

#include "userspace/docker/container.h"

namespace ambbpf {

// One that runs, with an id made from its name.
inline Container running(const std::string& name) {
  Container container;
  container.id = name + std::string(64 - name.size(), '0');
  container.name = name;
  container.state = Container::State::kRunning;
  container.network_mode = "default";
  return container;
}

inline Containers all_of(std::initializer_list<Container> list) {
  Containers containers;
  for (const auto& container : list) containers.emplace(container.id, container);
  return containers;
}

}  // namespace ambbpf
