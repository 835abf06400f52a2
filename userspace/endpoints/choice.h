// SPDX-License-Identifier: Apache-2.0
// The decision which backend takes a connection, as a value: whoever carries it out holds one, and
// waits for the next version.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/endpoints/backend.h"
#include "userspace/endpoints/endpoint.h"

namespace ambbpf {

struct Candidate {
  std::shared_ptr<Backend> backend;
  std::uint32_t weight = 1;  // 0 to kMostWeight
};

inline constexpr std::uint32_t kMostWeight = 1000;

// What a policy may know of the client.
struct Client {
  tcp::endpoint address;
};

struct Choice;

// The candidate whose turn it is when `turn` connections have been given away before; null where
// there is no candidate. Pure: it reads its arguments only.
using PickFunction = const Candidate*(const Choice& choice, const Client& client,
                                      std::uint64_t turn);

struct Policy {
  std::string_view name;
  std::string_view meaning;  // whom it takes, for the reference
  PickFunction* pick;
};

std::span<const Policy> all_policies();

// Null: there is none of that name.
const Policy* policy_named(std::string_view name);

// Immutable. Made anew whenever the set, the health of a backend or the policy changes.
struct Choice {
  std::uint64_t version = 0;  // rises with every new one of a service
  const Policy* policy = nullptr;
  std::vector<Candidate> candidates{};  // in the order of the set; see candidates_of()
  std::vector<std::uint32_t> order{};   // see turns_of()
  // When the next ejection ends, and with it this choice.
  Clock::time_point until = Clock::time_point::max();

  const Candidate* pick(const Client& client, std::uint64_t turn) const {
    return policy->pick(*this, client, turn);
  }
};

// Those of `all` to choose from: neither ejected nor of weight 0; if there are none such, those of
// any weight but 0 whatever has become of them, and at last all.
std::vector<Candidate> candidates_of(const std::vector<Candidate>& all, Clock::time_point now);

// A round of turns as indices into `candidates`, each as often as its weight says in comparison to
// the others', spread evenly; empty where all weigh the same, which is the round itself. Weights of
// very many candidates are rounded, to bound its length.
std::vector<std::uint32_t> turns_of(const std::vector<Candidate>& candidates);

// The attribute "weight", a number from 0 to kMostWeight; 1 where there is none.
Result<std::uint32_t> weight_of(const EndpointAttributes& attributes);

}  // namespace ambbpf
