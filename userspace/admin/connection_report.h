// SPDX-License-Identifier: Apache-2.0
// What the open connections of a process do: asked for by `ambbpf connections`, and by `ambbpf
// status --watch` for its sums.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/admin/query.h"
#include "userspace/support/result.h"

namespace ambbpf {

// What is asked for: GET /connections?service=NAME&sort=SORT&limit=N.
struct ConnectionsQuestion {
  static constexpr std::uint64_t kMost = 10'000;

  std::string service;         // empty: of all
  std::string sort = "bytes";  // "bytes", "age" or "rate": the highest are listed, and come first
  std::uint64_t limit = 100;   // of those that are listed; 0: sums only
};

// The error says what is wrong with which part.
Result<ConnectionsQuestion> connections_question(const Query& query);

struct ConnectionReport {
  struct Direction {
    std::uint64_t bytes = 0;
    std::uint64_t bytes_per_second = 0;  // over the last window_ms
    std::string by;                      // who moves them: "kernel", "splice", "copy", "-"
    std::string why;                     // a few words
  };
  struct Leg {
    std::string address;            // of the peer; empty: it is gone
    std::uint64_t rtt_us = 0;       // smoothed; 0: not known
    std::uint64_t retransmits = 0;  // segments that were sent to it again
  };
  struct Connection {
    std::string service;
    std::uint64_t age_ms = 0;  // since its backend was connected
    Leg client;
    Leg backend;
    Direction to_backend;
    Direction to_client;
  };
  struct Service {  // sums over all of its connections, listed or not
    std::string name;
    std::uint64_t open = 0;
    std::uint64_t bytes_to_backend = 0;        // of those that are open
    std::uint64_t bytes_to_client = 0;         // …
    std::uint64_t ended_bytes_to_backend = 0;  // of those that had ended when it was asked
    std::uint64_t ended_bytes_to_client = 0;   // …
    std::uint64_t directions_in_kernel = 0;    // of two for each
    std::uint64_t direct_now = 0;  // zero hop: not the proxy's, so neither listed nor in the others
  };

  std::uint64_t pid = 0;
  std::string verb;
  std::uint64_t threads = 0;
  std::uint64_t silent_threads = 0;  // which did not answer in time: theirs are missing
  std::string sort;
  std::uint64_t window_ms = 0;  // 0: there are no rates
  std::vector<Service> services;
  std::vector<Connection> connections;
};

std::string to_json(const ConnectionReport& report);
Result<ConnectionReport> connection_report_from_json(std::string_view json);

// For people; two lines for each connection below its service and age. Nothing in it can steer a
// terminal.
std::string to_text(const ConnectionReport& report);

}  // namespace ambbpf
