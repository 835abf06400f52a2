// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "userspace/endpoints/choice.h"

namespace ambbpf {

// Each stands in a file of its own.
PickFunction pick_first, pick_round_robin;

namespace {

constexpr std::array kPolicies{
    Policy{"round_robin", pick_round_robin},
    Policy{"first", pick_first},
};

}  // namespace

const Policy* policy_named(std::string_view name) {
  for (const auto& policy : kPolicies)
    if (policy.name == name) return &policy;
  return nullptr;
}

std::vector<std::string_view> policy_names() {
  std::vector<std::string_view> names;
  for (const auto& policy : kPolicies) names.push_back(policy.name);
  return names;
}

}  // namespace ambbpf
