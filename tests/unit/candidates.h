// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "userspace/endpoints/choice.h"

namespace ambbpf::test {

// One for each weight, at the ports 1, 2, 3…
inline std::vector<Candidate> candidates_of_weights(const std::vector<std::uint32_t>& weights) {
  std::vector<Candidate> candidates;
  for (const auto weight : weights) {
    const auto port = static_cast<unsigned short>(candidates.size() + 1);
    const tcp::endpoint address(asio::ip::address_v4::loopback(), port);
    candidates.push_back({std::make_shared<Backend>(address), weight});
  }
  return candidates;
}

inline Choice choice_of(std::string_view policy, std::vector<Candidate> candidates) {
  Choice choice{.policy = policy_named(policy), .candidates = std::move(candidates)};
  choice.order = choice.policy->order(choice.candidates);
  return choice;
}

inline int port_of(const Candidate* candidate) { return candidate->backend->address().port(); }

}  // namespace ambbpf::test
