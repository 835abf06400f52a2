// SPDX-License-Identifier: Apache-2.0
// What an operator orders of a running process (`ambbpf drain`, `enable`, `reset`, `set weight`).
#pragma once

#include <cstdint>
#include <string>

namespace ambbpf {

struct Order {
  enum class What {
    kDrain,   // no new connections
    kEnable,  // as its source says again
    kReset,   // ends open connections, and leaves the rest as it is
    kWeight,
  };
  What what;
  std::string service;
  std::string endpoint;      // an address, or what it was found as, or the end of that; empty: all
  std::uint64_t weight = 0;  // of kWeight
  std::string by;            // the user
};

// The process has done it, or could not.
struct OrderAnswer {
  enum class Outcome { kDone, kNoService, kRefused } outcome = Outcome::kDone;
  std::string line;  // what was done, or what there is
};

}  // namespace ambbpf
