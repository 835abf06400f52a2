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
  std::uint32_t weight = 1;     // these two as in Standing
  std::uint32_t priority = 0;   // …
  bool is_near = false;         // in the zone that is preferred
  std::uint32_t percent = 100;  // of its weight, which count: fewer in a slow start (slow_start.h)

  // In comparison to the others'.
  std::uint64_t weight_now() const { return std::uint64_t{weight} * percent; }
};

// What a policy may know of the client.
struct Client {
  tcp::endpoint address;
};

struct Choice;

// The candidate whose turn it is when `turn` connections have been given away before; null where
// there is no candidate. Pure: it reads its arguments only, and of backends how busy they are.
using PickFunction = const Candidate*(const Choice& choice, const Client& client,
                                      std::uint64_t turn);

// What a policy needs to know of the candidates beforehand, as Choice::order.
using OrderFunction = std::vector<std::uint32_t>(const std::vector<Candidate>& candidates);

struct Policy {
  std::string_view name;
  std::string_view meaning;  // whom it takes, for the reference
  PickFunction* pick;
  OrderFunction* order;
  // Nothing but the turn counts: whoever has the choice can carry it out (zero hop).
  bool is_by_turn;
  // It depends on the client whom it takes.
  bool is_by_client;
  // Who has come of late gets less than its weight says: see SlowStarts.
  bool starts_slowly;
};

std::span<const Policy> all_policies();

// Null: there is none of that name.
const Policy* policy_named(std::string_view name);

// Immutable. Made anew whenever the set, the health of a backend or the policy changes.
struct Choice {
  std::uint64_t version = 0;  // rises with every new one of a service
  const Policy* policy = nullptr;
  std::vector<Candidate> candidates{};  // in the order of the set; see candidates_of()
  std::vector<std::uint32_t> order{};   // indices into candidates; empty: 0, 1, 2…
  std::uint64_t seed = 0;               // of what is drawn at random
  // When the next ejection or trial ends, and with it this choice.
  Clock::time_point until = Clock::time_point::max();
  // As this one, with those who are due for a trial (Health) among the candidates; null: nobody is.
  // Whose turn it is there tries one, if it is the first who does.
  std::shared_ptr<const Choice> with_those_due{};
  // Candidates whose health speaks against them while there are others: see `max_ejected`.
  std::size_t used_all_the_same = 0;

  const Candidate* pick(const Client& client, std::uint64_t turn) const {
    return policy->pick(*this, client, turn);
  }

  // What stands at `place` of the order, which goes on for ever. There is a candidate.
  std::size_t index_at(std::uint64_t place) const {
    return order.empty() ? place % candidates.size() : order[place % order.size()];
  }
};

// Of what is ejected and whom it makes candidates.
struct EjectionRule {
  unsigned max_ejected = 50;     // percent, of a priority's endpoints
  bool those_due_count = false;  // as usable: who is due for a trial
};

// Neither its health nor its checks speak against it.
bool is_usable(const Candidate& candidate, Clock::time_point now, bool those_due_count = false);

// Those of `all` to choose from: who is usable by his health and not of weight 0, of the lowest
// priority that somebody such has; only the near ones of these, as long as they are at least
// `zone_spill` percent of the near ones of that priority. If nobody is such, those of any weight
// but 0 whatever has become of them, and at last all.
//
// Of that priority no more than `max_ejected` percent, rounded down, are passed over for their
// health: of those beyond, who accepts connections is used all the same, first whose ejection ends
// first. Who cannot be connected to, or is down by his checks, is not: that is certain, and passing
// him over takes nothing from anybody. And no more than those beyond are used, as what was learnt
// of the others counts.
std::vector<Candidate> candidates_of(const std::vector<Candidate>& all, Clock::time_point now,
                                     unsigned zone_spill, const EjectionRule& rule = {});

// How many of `candidates` their health speaks against, while there are others.
std::size_t used_all_the_same(const std::vector<Candidate>& candidates, Clock::time_point now);

// A round of turns, each as often as its weight says in comparison to the others', in nginx's order
// (smooth weighted round robin), so that nobody's turns come in a burst; empty where all weigh the
// same. Weights of very many candidates are rounded, to bound its length.
std::vector<std::uint32_t> turns_of(const std::vector<Candidate>& candidates);

// Whether `one` is less busy than `other`, in comparison to their weights.
inline bool is_less_busy(const Candidate& one, const Candidate& other) {
  return one.backend->busy() * other.weight_now() < other.backend->busy() * one.weight_now();
}

}  // namespace ambbpf
