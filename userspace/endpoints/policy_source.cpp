// SPDX-License-Identifier: Apache-2.0
// A client's address is always taken by the same candidate, in each thread, after a restart and on
// every host with the same set; a change of the set moves few others. By Maglev's table (Eisenbud
// et al., Maglev: A Fast and Reliable Software Network Load Balancer, NSDI 2016, 3.4): each
// candidate goes through all places in an order of its own, and in turn they take the next one that
// is free.
#include <algorithm>
#include <limits>
#include <numeric>

#include "userspace/endpoints/choice.h"
#include "userspace/endpoints/hash.h"

namespace ambbpf {
namespace {

constexpr auto kFree = std::numeric_limits<std::uint32_t>::max();

// Both primes are the paper's: each step leads through all places. With 65,537 a hundred candidates
// differ by a percent, and one client in a hundred moves that need not; smaller tables have sets in
// which every tenth does. `turns`: in a round of theirs, who all want a place.
std::uint64_t places_for(std::size_t turns) { return turns <= 65'537 ? 65'537 : 655'373; }

// Through all places, from one on.
struct Walk {
  std::uint64_t place;
  std::uint64_t step;  // less than `places`, and not 0

  Walk(const tcp::endpoint& address, std::uint64_t places) {
    const auto hash = mixed(hash_of(address.address()) + address.port());
    place = hash % places;
    step = mixed(hash) % (places - 1) + 1;
  }
  void go_on(std::uint64_t places) {
    place += step;
    if (place >= places) place -= places;
  }
};

}  // namespace

std::vector<std::uint32_t> places_by_source(const std::vector<Candidate>& candidates) {
  if (candidates.size() < 2) return {};
  // By address: the order in which they were found means nothing.
  std::vector<std::uint32_t> indices(candidates.size());
  std::iota(indices.begin(), indices.end(), 0U);
  std::ranges::sort(indices, {}, [&](auto index) { return candidates[index].backend->address(); });
  std::vector<Candidate> sorted;
  for (const auto index : indices) sorted.push_back(candidates[index]);
  auto turns = turns_of(sorted);
  if (turns.empty()) {
    turns.resize(sorted.size());
    std::iota(turns.begin(), turns.end(), 0U);
  }
  const auto places = places_for(turns.size());
  std::vector<Walk> walks;
  for (const auto& candidate : sorted) walks.emplace_back(candidate.backend->address(), places);

  std::vector<std::uint32_t> taken(places, kFree);
  for (std::size_t i = 0; i < places; ++i) {
    const auto turn = turns[i % turns.size()];
    auto& walk = walks[turn];
    while (taken[walk.place] != kFree) walk.go_on(places);
    taken[walk.place] = indices[turn];
  }
  return taken;
}

const Candidate* pick_source(const Choice& choice, const Client& client, std::uint64_t) {
  if (choice.candidates.empty()) return nullptr;
  return &choice.candidates[choice.index_at(hash_of(client.address.address()))];
}

}  // namespace ambbpf
