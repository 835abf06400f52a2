// SPDX-License-Identifier: Apache-2.0
#include "userspace/docker/label_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "userspace/support/quote.h"

namespace ambbpf {
namespace {

// Empty: nothing is wrong with it.
std::string_view why_no_service(std::string_view name) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (std::any_of(name.begin(), name.end(), is_control)) return "has a control character";
  for (;;) {
    const auto slash = name.find('/');
    const auto part = name.substr(0, slash);
    if (part.empty()) return "is empty, begins or ends with a slash, or has two in a row";
    if (part == "." || part == "..") return "has a part that is . or ..";
    if (part.front() == '_') return "has a part that begins with _, which etcd hides";
    if (slash == std::string_view::npos) return "";
    name.remove_prefix(slash + 1);
  }
}

}  // namespace

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
