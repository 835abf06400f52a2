// SPDX-License-Identifier: Apache-2.0
#include "userspace/endpoints/service_name.h"

#include <algorithm>

namespace ambbpf {

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

}  // namespace ambbpf
