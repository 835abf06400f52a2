// SPDX-License-Identifier: Apache-2.0
// Two are drawn, as often as their weights say, and the less busy one is taken (M. Mitzenmacher,
// The Power of Two Choices in Randomized Load Balancing, 2001). Nearly as even as to look at all;
// and many ambassadors that each know their own connections only do not all take the same one.
#include "userspace/endpoints/choice.h"
#include "userspace/endpoints/hash.h"

namespace ambbpf {

const Candidate* pick_random_two(const Choice& choice, const Client&, std::uint64_t turn) {
  const auto& candidates = choice.candidates;
  if (candidates.empty()) return nullptr;
  const auto drawn = mixed(choice.seed + turn);
  const auto first = choice.index_at(drawn);
  auto place = mixed(drawn);
  auto second = choice.index_at(place);
  // The next other one in the round, if there is any.
  const auto round = choice.order.empty() ? candidates.size() : choice.order.size();
  for (std::size_t i = 1; second == first && i < round; ++i) second = choice.index_at(++place);
  return is_less_busy(candidates[second], candidates[first]) ? &candidates[second]
                                                             : &candidates[first];
}

}  // namespace ambbpf
