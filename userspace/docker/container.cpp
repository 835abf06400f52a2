// SPDX-License-Identifier: Apache-2.0
#include "userspace/docker/container.h"

#include <algorithm>

namespace ambbpf {

std::string why_not_available(const Container& container, bool ignore_health) {
  switch (container.state) {
    case Container::State::kAway:
      return "it does not run";
    case Container::State::kPaused:
      return "it is paused";
    case Container::State::kStopping:
      return "it is stopping";
    case Container::State::kRunning:
      break;
  }
  if (ignore_health) return {};
  switch (container.health) {
    case Container::Health::kStarting:
      return "its health is not known yet";
    case Container::Health::kUnhealthy:
      return "it is unhealthy";
    case Container::Health::kNone:
    case Container::Health::kHealthy:
      break;
  }
  return {};
}

const Container* find_container(const Containers& containers, std::string_view name_or_id) {
  constexpr std::size_t kShortId = 12;
  for (const auto& [id, container] : containers)
    if (container.name == name_or_id) return &container;
  if (name_or_id.size() < kShortId) return nullptr;
  const auto found = containers.lower_bound(std::string(name_or_id));
  return found != containers.end() && found->first.starts_with(name_or_id) ? &found->second
                                                                           : nullptr;
}

const Container* network_owner(const Containers& containers, const Container& container) {
  constexpr std::string_view kShared = "container:";
  const auto& mode = container.network_mode;
  if (!mode.starts_with(kShared)) return &container;
  return find_container(containers, std::string_view(mode).substr(kShared.size()));
}

}  // namespace ambbpf
