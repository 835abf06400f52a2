// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/quote.h"

#include <fmt/format.h>

namespace ambbpf {

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string quoted(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return "'" + printable(text) + "'";
  return fmt::format("'{}...' ({} bytes)", printable(text.substr(0, limit)), text.size());
}

}  // namespace ambbpf
