// SPDX-License-Identifier: Apache-2.0
// Who has the fewest connections in comparison to its weight; of several, whose turn it would be,
// or who comes next. Who is slow keeps its connections for longer, and gets fewer new ones. It
// looks at every candidate: for thousands of them there is random_two.
#include "userspace/endpoints/choice.h"

namespace ambbpf {

const Candidate* pick_least_connections(const Choice& choice, const Client&, std::uint64_t turn) {
  const auto& candidates = choice.candidates;
  if (candidates.empty()) return nullptr;
  const auto first = choice.index_at(turn);
  const auto* least = &candidates[first];
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    const auto& candidate = candidates[(first + i) % candidates.size()];
    if (is_less_busy(candidate, *least)) least = &candidate;
  }
  return least;
}

}  // namespace ambbpf
