// SPDX-License-Identifier: Apache-2.0
// What the two peers of each connection, on different threads, tell each other outside of the
// connection; and what went wrong.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "tests/torture/script.h"

namespace ambbpf::torture {

using Clock = std::chrono::steady_clock;

struct Account {
  static constexpr std::uint64_t kNotYet = UINT64_MAX;

  std::uint64_t number = 0;
  std::uint64_t seed = 0;
  // Each is told before the call that does it, so whoever sees its effect finds it here.
  std::array<std::atomic<std::uint64_t>, 2> ends_after{kNotYet, kNotYet};  // bytes before a FIN
  std::array<std::atomic<bool>, 2> aborted{};
  std::array<std::atomic<bool>, 2> begun{};  // the backend's with the hello
  std::array<std::atomic<bool>, 2> over{};
  std::atomic<Clock::time_point> moved{};  // when a byte or an end last moved, on either side
  std::atomic<bool> failed{};
};

class Book {
 public:
  // `seeds` has one for each connection; `replay` is the command line that a seed is appended to.
  Book(const std::vector<std::uint64_t>& seeds, const Allowed& allowed, std::string replay);

  std::size_t connections() const { return accounts_.size(); }
  Account& account(std::uint64_t number) { return accounts_[number]; }
  const Allowed& allowed() const { return allowed_; }

  // Prints it, unless the connection has failed before: one failure brings others along.
  void fail(Account& account, const std::string& what);
  void fail(const std::string& what);  // of no connection that is known
  unsigned failures() const { return failures_; }
  bool has_seen_enough() const { return failures_ >= kEnough; }

  // A backend that met the end of its connection before the hello was complete.
  void ended_unnamed() { ++unnamed_; }

  // When all is over: that every connection is accounted for.
  void close();

  std::atomic<std::uint64_t> resets_seen{0};
  std::array<std::atomic<std::uint64_t>, 2> received{};  // bytes, by the side that received them

 private:
  static constexpr unsigned kEnough = 20;

  std::vector<Account> accounts_;
  const Allowed allowed_;
  const std::string replay_;
  std::mutex printing_;
  std::atomic<unsigned> failures_{0};
  std::atomic<std::uint64_t> unnamed_{0};
};

}  // namespace ambbpf::torture
