// SPDX-License-Identifier: Apache-2.0
// The first candidate in the order of the set (of the keys, or as listed): a primary, and those who
// stand in for it while it is ejected.
#include "userspace/endpoints/choice.h"

namespace ambbpf {

const Candidate* pick_first(const Choice& choice, const Client&, std::uint64_t) {
  return choice.candidates.empty() ? nullptr : &choice.candidates.front();
}

}  // namespace ambbpf
