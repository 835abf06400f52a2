// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/overrides.h"

#include <algorithm>

namespace ambbpf {

using std::chrono::milliseconds;

milliseconds Override::age() const {
  const auto ago = std::chrono::system_clock::now() - at;
  return std::max(std::chrono::duration_cast<milliseconds>(ago), milliseconds(0));
}

std::optional<Override> Overrides::of(const tcp::endpoint& address) const {
  const auto found = each.find(address);
  if (found == each.end()) return all;
  if (!all || !all->is_drained || found->second.is_drained) return found->second;
  auto drained = *all;
  drained.weight = found->second.weight;
  return drained;
}

}  // namespace ambbpf
