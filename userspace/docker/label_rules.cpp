// SPDX-License-Identifier: Apache-2.0
#include "userspace/docker/label_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "userspace/endpoints/service_name.h"
#include "userspace/support/quote.h"

namespace ambbpf {

void complain(Provided& provided, std::string_view label, std::string_view why) {
  provided.complaints.push_back(fmt::format("{}: {}", quoted(label), why));
}

bool check_service_name(Provided& provided, std::string_view label, std::string_view name) {
  const auto why = why_no_service(name);
  if (!why.empty())
    complain(provided, label, fmt::format("{} cannot name a service: it {}", quoted(name), why));
  return why.empty();
}

bool check_attribute_name(Provided& provided, std::string_view label, std::string_view name) {
  // Readers take these for the address (decode_endpoint_value).
  constexpr std::array<std::string_view, 4> kAddress{"host", "port", "ip", "IP"};
  if (name.empty()) {
    complain(provided, label, "names no attribute");
    return false;
  }
  if (std::find(kAddress.begin(), kAddress.end(), name) != kAddress.end()) {
    complain(provided, label, "would stand in the place of the service's address");
    return false;
  }
  return true;
}

}  // namespace ambbpf
