// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <utility>

#include "userspace/support/quote.h"

namespace ambbpf {

std::vector<Candidate> candidates_of(const std::vector<Candidate>& all, Clock::time_point now) {
  const auto those = [&all](auto&& wanted) {
    std::vector<Candidate> found;
    std::ranges::copy_if(all, std::back_inserter(found), wanted);
    return found;
  };
  auto found = those([now](const Candidate& candidate) {
    return candidate.weight > 0 && !candidate.backend->ejected(now);
  });
  if (found.empty()) found = those([](const Candidate& candidate) { return candidate.weight > 0; });
  return found.empty() ? all : found;
}

std::vector<std::uint32_t> turns_of(const std::vector<Candidate>& candidates) {
  constexpr std::uint64_t kFew = 10'000;    // turns
  constexpr std::uint64_t kForEachOne = 4;  // beyond that
  const auto same = [&](const Candidate& other) { return other.weight == candidates[0].weight; };
  if (std::ranges::all_of(candidates, same)) return {};

  std::uint64_t divisor = 0;
  std::uint64_t all = 0;
  for (const auto& candidate : candidates) {
    divisor = std::gcd(divisor, std::uint64_t{candidate.weight});
    all += candidate.weight;
  }
  const auto most = std::max(kFew, kForEachOne * candidates.size());
  // The k-th of a candidate's turns stands at (k + 1/2) / turns of the round.
  std::vector<std::pair<double, std::uint32_t>> places;
  for (std::uint32_t i = 0; i < candidates.size(); ++i) {
    const std::uint64_t weight = candidates[i].weight;
    const auto turns =
        all / divisor <= most ? weight / divisor : std::max<std::uint64_t>(1, weight * most / all);
    for (std::uint64_t k = 0; k < turns; ++k)
      places.emplace_back((static_cast<double>(k) + 0.5) / static_cast<double>(turns), i);
  }
  std::ranges::sort(places);
  std::vector<std::uint32_t> order;
  for (const auto& place : places) order.push_back(place.second);
  return order;
}

Result<std::uint32_t> weight_of(const EndpointAttributes& attributes) {
  const auto found =
      std::ranges::find(attributes, "weight", &EndpointAttributes::value_type::first);
  if (found == attributes.end()) return 1U;
  const auto& text = found->second;
  std::uint32_t weight = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
  if (error == std::errc{} && rest == text.data() + text.size() && weight <= kMostWeight)
    return weight;
  return fail(fmt::format("weight {} is not a number from 0 to {}", quoted(text), kMostWeight));
}

}  // namespace ambbpf
