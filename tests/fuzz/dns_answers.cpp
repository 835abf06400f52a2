// SPDX-License-Identifier: Apache-2.0
// What a DNS server, or whoever claims to be one, answers to a question for SRV records.
#include "tests/fuzz/require.h"
#include "userspace/dns/answer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ambbpf;
  using fuzz::require;
  const auto answer = decode_srv_answer({data, size});
  if (!answer) {
    require(fuzz::is_plain(answer.error().message()), "a plain reason");
    return 0;
  }
  require(!answer->records.empty(), "an answer has a record");
  for (const auto& record : answer->records) {
    require(fuzz::is_plain(record.target), "a plain target");
    require(record.port != 0 || record.target.empty(), "a port where there is a service");
  }
  DnsAnswer aged;
  set_age(aged, answer->ttl, Clock::time_point{});
  require(aged.until - aged.heard >= kShortestAge && aged.until - aged.heard <= kLongestAge,
          "an age within limits");
  return 0;
}
