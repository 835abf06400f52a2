// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/change_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "userspace/endpoints/endpoint.h"
#include "userspace/support/log.h"
#include "userspace/support/plain_text.h"

namespace ambbpf {
namespace {

// Those of `these` that are not in `others`.
std::vector<std::string> beyond(const std::set<tcp::endpoint>& these,
                                const std::set<tcp::endpoint>& others, std::string_view sign) {
  std::vector<tcp::endpoint> found;
  std::ranges::set_difference(these, others, std::back_inserter(found));
  std::vector<std::string> signed_addresses;
  for (const auto& address : found)
    signed_addresses.push_back(fmt::format("{}{}", sign, to_string(address)));
  return signed_addresses;
}

std::string list(const std::vector<std::string>& words, std::string_view separator) {
  constexpr std::size_t kMost = 10;
  const auto named = words.begin() + static_cast<std::ptrdiff_t>(std::min(words.size(), kMost));
  auto text = fmt::format("{}", fmt::join(words.begin(), named, separator));
  if (words.size() > kMost) text += fmt::format(" and {} more", words.size() - kMost);
  return text;
}

}  // namespace

std::string describe_change(const std::set<tcp::endpoint>& before,
                            const std::set<tcp::endpoint>& after) {
  auto changes = beyond(after, before, before.empty() ? "" : "+");
  if (before.empty())
    return fmt::format("{}: {}", counted(after.size(), "endpoint"), list(changes, ", "));
  std::ranges::move(beyond(before, after, "-"), std::back_inserter(changes));
  return fmt::format("{} ({})", list(changes, " "),
                     after.empty() ? "no endpoint" : counted(after.size(), "endpoint"));
}

void ChangeLog::tell(const std::string& service, std::set<tcp::endpoint> endpoints) {
  left_out_ = endpoints != told_;
  if (!left_out_) return;
  const auto unsaid = limit_.pass(Clock::now());
  if (!unsaid) return;
  left_out_ = false;
  log::info("service {}: {}{}", service, describe_change(told_, endpoints),
            more_before_it(*unsaid));
  told_ = std::move(endpoints);
}

}  // namespace ambbpf
