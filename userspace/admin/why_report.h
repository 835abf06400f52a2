// SPDX-License-Identifier: Apache-2.0
// Why the next connection of a service would go where it goes: made by the process, shown by
// `ambbpf why`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/support/result.h"

namespace ambbpf {

// All ages and spans are in milliseconds before, or after, the report was made.
struct WhyReport {
  struct Candidate {
    std::string address;
    std::string found_as;  // etcd key, container, or the name that was resolved
    std::uint64_t weight = 0;
    std::uint64_t turns =
        0;                   // of a round, if `taken` is "by turn"; 0: only when others have failed
    std::uint64_t busy = 0;  // with connections, and those that are being made
    std::string note;        // why it is one though it should not; may be empty
  };
  struct PassedOver {
    std::string address;   // empty: of a value that is none
    std::string found_as;  // as above
    std::string why;
    std::optional<std::uint64_t> since_ms{};  // it has been so
    std::optional<std::uint64_t> for_ms{};    // it will be so
    std::optional<std::uint64_t> revision{};  // of etcd
  };
  struct Source {
    std::string name;
    std::string kind;
    std::string state;  // as StatusReport::Source has it
    std::uint64_t endpoints = 0;
    std::string note;
  };

  std::string service;
  std::string
      next;  // the address, as it is now; empty: there is none, or it is `taken` "by client"
  std::string policy;
  std::string policy_meaning;
  std::string taken = "by turn";      // or "by load", "by client": what the policy goes by
  std::string zone;                   // what the preferred zone means now; empty: none is set
  std::uint64_t version = 0;          // of the choice
  std::vector<Candidate> candidates;  // by turn: in this order, the next one first; else as found
  std::vector<PassedOver> passed_over;
  std::string zero_hop;    // where consumers on this host go
  std::string when_empty;  // what becomes of clients while there is no endpoint
  std::vector<Source> sources;
};

// As of the StatusReport.
std::string to_json(const WhyReport& report);
Result<WhyReport> why_report_from_json(std::string_view json);
std::string to_text(const WhyReport& report);

}  // namespace ambbpf
