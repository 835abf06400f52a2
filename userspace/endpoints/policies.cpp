// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "userspace/endpoints/choice.h"

namespace ambbpf {

// Each stands in a file of its own.
PickFunction pick_first, pick_round_robin;

namespace {

// A policy, a line.
constexpr std::array kPolicies{
    Policy{"round_robin", "each in turn, as often as its weight says", pick_round_robin},
    Policy{"first", "the first that works", pick_first},
};

}  // namespace

std::span<const Policy> all_policies() { return kPolicies; }

const Policy* policy_named(std::string_view name) {
  const auto* const found = std::ranges::find(kPolicies, name, &Policy::name);
  return found == kPolicies.end() ? nullptr : found;
}

}  // namespace ambbpf
