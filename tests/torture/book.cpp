// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/book.h"

#include <fmt/format.h>

#include <cstdio>

namespace ambbpf::torture {

Book::Book(const std::vector<std::uint64_t>& seeds, const Allowed& allowed, std::string replay)
    : accounts_(seeds.size()), allowed_(allowed), replay_(std::move(replay)) {
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    accounts_[i].number = i;
    accounts_[i].seed = seeds[i];
  }
}

void Book::fail(Account& account, const std::string& what) {
  if (account.failed.exchange(true)) return;
  fail(fmt::format("connection {}: {}; replay: {} --only {}", account.number, what, replay_,
                   account.seed));
}

void Book::fail(const std::string& what) {
  const std::lock_guard alone(printing_);
  if (++failures_ > kEnough) return;
  fmt::print("FAILURE {}\n", what);
  std::fflush(stdout);
}

void Book::close() {
  if (has_seen_enough()) return;  // stopped on the way
  std::uint64_t never_named = 0;
  for (auto& account : accounts_) {
    if (!account.begun[kBackend]) {
      ++never_named;
      if (!account.aborted[kClient]) fail(account, "the backend has never seen it");
    }
    for (const auto side : {kClient, kBackend})
      if (account.begun[side] && !account.over[side])
        fail(account, fmt::format("the {} is not over", name_of(side)));
  }
  if (unnamed_ > never_named)
    fail(fmt::format("{} backends ended before the hello, but only {} clients may have caused that",
                     unnamed_.load(), never_named));
}

}  // namespace ambbpf::torture
