// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "userspace/endpoints/choice.h"

namespace ambbpf {

// Each stands in a file of its own.
PickFunction pick_first, pick_least_connections, pick_random_two, pick_round_robin, pick_source;
OrderFunction places_by_source;

namespace {

std::vector<std::uint32_t> as_found(const std::vector<Candidate>&) { return {}; }

// A policy, a line.
constexpr std::array kPolicies{
    Policy{"round_robin", "each in turn, as often as its weight says", pick_round_robin, turns_of,
           true, false, true},
    Policy{"least_connections", "who has the fewest open connections for its weight",
           pick_least_connections, turns_of, false, false, true},
    Policy{"random_two", "of two drawn at random who has fewer for its weight", pick_random_two,
           turns_of, false, false, true},
    Policy{"source", "the same for a client's address, as long as it works", pick_source,
           places_by_source, false, true, false},
    Policy{"first", "the first that works", pick_first, as_found, true, false, false},
};

}  // namespace

std::span<const Policy> all_policies() { return kPolicies; }

const Policy* policy_named(std::string_view name) {
  const auto* const found = std::ranges::find(kPolicies, name, &Policy::name);
  return found == kPolicies.end() ? nullptr : found;
}

}  // namespace ambbpf
