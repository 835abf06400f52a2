// SPDX-License-Identifier: Apache-2.0
// One after the other, as often as their weights say.
#include "userspace/endpoints/choice.h"

namespace ambbpf {

const Candidate* pick_round_robin(const Choice& choice, const Client&, std::uint64_t turn) {
  return choice.candidates.empty() ? nullptr : &choice.candidates[choice.index_at(turn)];
}

}  // namespace ambbpf
