// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/standing.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

std::optional<std::string_view> find(const EndpointAttributes& attributes, std::string_view name) {
  const auto found = std::ranges::find(attributes, name, &EndpointAttributes::value_type::first);
  if (found == attributes.end()) return std::nullopt;
  return found->second;
}

void read_number(const EndpointAttributes& attributes, std::string_view name, std::uint32_t most,
                 std::uint32_t& number, std::vector<std::string>& wrong) {
  const auto text = find(attributes, name);
  if (!text) return;
  std::uint32_t read = 0;
  const auto* const end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, read);
  if (error == std::errc{} && rest == end && read <= most)
    number = read;
  else
    wrong.push_back(fmt::format("{} {} is not a number from 0 to {}; it counts {}", name,
                                quoted(*text), most, number));
}

}  // namespace

Standing standing_of(const EndpointAttributes& attributes, std::vector<std::string>& wrong) {
  Standing standing;
  read_number(attributes, "weight", kMostWeight, standing.weight, wrong);
  read_number(attributes, "priority", kMostPriority, standing.priority, wrong);
  if (const auto backup = find(attributes, "backup")) {
    if (*backup == "true")
      standing.priority = kBackupPriority;
    else if (*backup != "false")
      wrong.push_back(
          fmt::format("backup {} is neither true nor false; it counts false", quoted(*backup)));
  }
  if (const auto zone = find(attributes, "zone")) standing.zone = *zone;
  return standing;
}

}  // namespace ambbpf
