// SPDX-License-Identifier: Apache-2.0
// One after the other, as often as their weights say.
#include "userspace/endpoints/choice.h"

namespace ambbpf {

const Candidate* pick_round_robin(const Choice& choice, const Client&, std::uint64_t turn) {
  const auto& candidates = choice.candidates;
  if (candidates.empty()) return nullptr;
  if (choice.order.empty()) return &candidates[turn % candidates.size()];
  return &candidates[choice.order[turn % choice.order.size()]];
}

}  // namespace ambbpf
