// SPDX-License-Identifier: Apache-2.0
#include "userspace/dns/answer.h"

#include <arpa/nameser.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

namespace ambbpf {
namespace {

constexpr std::size_t kBeforeTarget = 6;  // bytes: priority, weight, port

std::optional<SrvRecord> decode_srv(const ns_msg& message, const ns_rr& record) {
  const auto* data = ns_rr_rdata(record);
  if (ns_rr_rdlen(record) <= kBeforeTarget) return std::nullopt;
  std::array<char, NS_MAXDNAME> target{};
  if (ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), data + kBeforeTarget,
                         target.data(), target.size()) < 0)
    return std::nullopt;
  SrvRecord service;
  service.priority = static_cast<std::uint16_t>(ns_get16(data));
  service.weight = static_cast<std::uint16_t>(ns_get16(data + 2));
  service.port = static_cast<unsigned short>(ns_get16(data + 4));
  service.target = target.data();
  if (service.target == ".") service.target.clear();
  if (service.port == 0 && !service.target.empty()) return std::nullopt;
  return service;
}

}  // namespace

void set_age(DnsAnswer& answer, std::int64_t ttl, Clock::time_point now) {
  answer.heard = now;
  answer.until =
      now + std::clamp<std::chrono::seconds>(std::chrono::seconds(ttl), kShortestAge, kLongestAge);
}

Result<SrvAnswer> decode_srv_answer(std::span<const unsigned char> message) {
  ns_msg parsed{};
  if (ns_initparse(message.data(), static_cast<int>(message.size()), &parsed) < 0)
    return fail("the answer is no DNS message");
  SrvAnswer answer{.records = {}, .ttl = std::numeric_limits<std::int64_t>::max()};
  for (int i = 0; i < ns_msg_count(parsed, ns_s_an); ++i) {
    ns_rr record{};
    if (ns_parserr(&parsed, ns_s_an, i, &record) < 0) return fail("the answer is cut off");
    answer.ttl = std::min<std::int64_t>(answer.ttl, ns_rr_ttl(record));
    if (ns_rr_type(record) != ns_t_srv) continue;
    if (auto service = decode_srv(parsed, record)) answer.records.push_back(std::move(*service));
  }
  if (answer.records.empty()) return fail("the answer has no record that can be used");
  std::sort(answer.records.begin(), answer.records.end());
  return answer;
}

}  // namespace ambbpf
