// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/suggestion.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace ambbpf {
namespace {

// How many characters have to be put in, left out or replaced (Levenshtein).
std::size_t distance(std::string_view one, std::string_view other) {
  std::vector<std::size_t> row(other.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 0; i < one.size(); ++i) {
    auto diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < other.size(); ++j) {
      const auto replaced = diagonal + (one[i] == other[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  constexpr std::size_t kLongest = 64;
  std::string found;
  // Two letters in the wrong order are two steps, in a short word as well.
  auto least = std::max<std::size_t>(word.size() / 3 + 1, word.size() > 3 ? 3 : 0);
  if (word.size() > kLongest) return found;
  for (const auto& candidate : known) {
    const auto away = distance(word, candidate);
    if (away >= least) continue;
    least = away;
    found = candidate;
  }
  return found;
}

}  // namespace ambbpf
