// SPDX-License-Identifier: Apache-2.0
#include "userspace/support/utf8.h"

#include <boost/nowide/utf/utf.hpp>

namespace ambbpf {

std::string valid_utf8(std::string_view text) {
  namespace utf = boost::nowide::utf;
  std::string out;
  out.reserve(text.size());
  const auto* at = text.begin();
  while (at != text.end()) {
    const auto* next = at;
    if (utf::is_valid_codepoint(utf::utf_traits<char>::decode(next, text.end()))) {
      out.append(at, next);
      at = next;
    } else {
      out += "\ufffd";
      ++at;
    }
  }
  return out;
}

}  // namespace ambbpf
